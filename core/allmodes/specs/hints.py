"""Warnings about specs that are right and will disappoint: said before training, torch-free unless data are loaded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from allmodes.builtin.config.data import KnownModesConfig
from allmodes_schemas import Problem, Shape, Spec

if TYPE_CHECKING:
    from allmodes.data import Data

FAR, NEAR = 50.0, 0.02
"""Networks learn a ring of 8 modes at radius 0.1 to 30, and lose most of it at 0.01 and at 100."""
BOUNDS = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
"""Where the output of a generator ends."""
SAMPLED = 1000
"""Rows of loaded data that are looked at."""

Column = Sequence[float]


def of_spec(spec: Spec) -> Iterator[Problem]:
    """What the spec alone tells."""
    if isinstance(spec.data, KnownModesConfig):
        yield from _of_modes(spec, spec.data)
    if (shape := spec.data.shape()) is not None:
        yield from _of_images(spec, shape)


def of_data(spec: Spec, data: Data) -> list[str]:
    """What only the loaded data tell."""
    found = [] if spec.data.shape() is not None else list(_of_images(spec, data.shape))
    if len(data.shape) == 1 and not isinstance(spec.data, KnownModesConfig):
        found += _of_rows(spec, data)
    return [f"{'.'.join(map(str, problem.where))}: {problem.what}" for problem in found]


def _of_images(spec: Spec, shape: Shape) -> Iterator[Problem]:
    metrics = {metric.kind for metric in spec.evaluation.metrics}
    if len(shape) == 3 and metrics == {"wasserstein"}:
        blind = "wasserstein of pixels hardly sees collapse (copies of one grey square score nearly as real images do)"
        remedy = (
            "add density_coverage or kid with features: {kind: random_conv}, or class_coverage where there are labels"
        )
        yield Problem(("evaluation", "metrics"), f"{blind}: {remedy}", "warning")
    if len(shape) == 3 and getattr(spec.generator, "output", "") == "sigmoid":
        yield Problem(("generator",), "images are in [-1, 1], but sigmoid ends at 0 and 1: set output: tanh", "warning")


def _of_modes(spec: Spec, data: KnownModesConfig) -> Iterator[Problem]:
    """By the moments of the modes that have a weight, coordinate after coordinate."""
    stds = data.stds()
    widths = [stds] * data.classes() if isinstance(stds, int | float) else stds
    there = [mode for mode in zip(data.mode_weights(), data.centres(), widths, strict=True) if mode[0] > 0]
    whole = sum(weight for weight, _, _ in there)
    weights = [weight / whole for weight, _, _ in there]
    within = sum(w * std * std for w, (_, _, std) in zip(weights, there, strict=True))
    columns = list(zip(*(centre for _, centre, _ in there), strict=True))
    means = [sum(w * x for w, x in zip(weights, column, strict=True)) for column in columns]
    spreads = [
        math.sqrt(within + sum(w * (x - mean) * (x - mean) for w, x in zip(weights, column, strict=True)))
        for mean, column in zip(means, columns, strict=True)
    ]
    yield from _of_scale(means, spreads, "shift and scale the modes (means or radius, and std) to about 1")
    yield from _of_bounds(spec, [min(column) for column in columns], [max(column) for column in columns])


def _of_rows(spec: Spec, data: Data) -> Iterator[Problem]:
    """By some rows that are trained on."""
    import torch

    x = data.draw(SAMPLED, torch.Generator(data.device).manual_seed(0)).x.double().cpu()
    table = hasattr(spec.data, "standardise")
    remedy = "set standardise: true" if table else "standardise it: subtract its mean, divide by its standard deviation"
    names = data.units.columns if data.units else ()
    yield from _of_scale(x.mean(0).tolist(), x.std(0, correction=0).tolist(), remedy, names)
    yield from _of_bounds(spec, x.quantile(0.01, 0).tolist(), x.quantile(0.99, 0).tolist())


def _of_scale(means: Column, spreads: Column, remedy: str, names: Sequence[str] = ()) -> Iterator[Problem]:
    sizes = [math.hypot(mean, spread) for mean, spread in zip(means, spreads, strict=True)]
    at, widest = sizes.index(max(sizes)), max(spreads)
    if sizes[at] > FAR:
        who = f"column {names[at]!r}" if names else f"coordinate {at}"
        what = f"{who} has a root mean square of {sizes[at]:.3g}, which networks, beginning near 1, rarely reach"
    elif widest < NEAR:
        what = f"no coordinate varies by more than {widest:.2g} (std), which networks, beginning near 1, hardly see"
    else:
        return
    yield Problem(("data",), f"{what}: {remedy}", "warning")


def _of_bounds(spec: Spec, lows: Column, highs: Column) -> Iterator[Problem]:
    output = getattr(spec.generator, "output", "")
    low, high = BOUNDS.get(output, (-math.inf, math.inf))
    if min(lows) < low or max(highs) > high:
        reach = f"the data reach from {min(lows):.3g} to {max(highs):.3g}"
        yield Problem(
            ("generator",), f"{reach}, but {output} ends at {low:g} and {high:g}: set output: linear", "warning"
        )
