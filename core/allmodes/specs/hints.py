"""Warnings about specs that are valid but will train or measure badly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from allmodes_schemas import Problem, Shape, Spec

FAR, NEAR = 50.0, 0.02
"""Networks learn a ring of 8 modes at radius 0.1 to 30, and lose most of it at 0.01 and at 100."""
BOUNDS = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
"""The range of a generator's output."""

Column = Sequence[float]


def check_image_metrics(spec: Spec, shape: Shape) -> Iterator[Problem]:
    """Metrics and outputs that do not suit images, where items of that shape are images."""
    metrics = {metric.kind for metric in spec.evaluation.metrics}
    if len(shape) == 3 and metrics == {"wasserstein"}:
        blind = "wasserstein of pixels hardly sees collapse (copies of one grey square score nearly as real images do)"
        remedy = (
            "add density_coverage or kid with features: {kind: random_conv}, or class_coverage where there are labels"
        )
        yield Problem(("evaluation", "metrics"), f"{blind}: {remedy}", "warning")
    if len(shape) == 3 and getattr(spec.generator, "output", "") == "sigmoid":
        yield Problem(("generator",), "images are in [-1, 1], but sigmoid ends at 0 and 1: set output: tanh", "warning")


def check_scale(means: Column, spreads: Column, remedy: str, names: Sequence[str] = ()) -> Iterator[Problem]:
    """Coordinates, by their means and standard deviations, that are too large or too small for networks."""
    sizes = [math.hypot(mean, spread) for mean, spread in zip(means, spreads, strict=True)]
    at, widest = sizes.index(max(sizes)), max(spreads)
    if sizes[at] > FAR:
        who = f"column {names[at]!r}" if names else f"coordinate {at}"
        message = f"{who} has a root mean square of {sizes[at]:.3g}, which networks, beginning near 1, rarely reach"
    elif widest < NEAR:
        message = f"no coordinate varies by more than {widest:.2g} (std), which networks, beginning near 1, hardly see"
    else:
        return
    yield Problem(("data",), f"{message}: {remedy}", "warning")


def check_bounds(spec: Spec, lows: Column, highs: Column) -> Iterator[Problem]:
    """Data beyond the range of the generator's output."""
    output = getattr(spec.generator, "output", "")
    low, high = BOUNDS.get(output, (-math.inf, math.inf))
    if min(lows) < low or max(highs) > high:
        reach = f"the data reach from {min(lows):.3g} to {max(highs):.3g}"
        yield Problem(
            ("generator",), f"{reach}, but {output} ends at {low:g} and {high:g}: set output: linear", "warning"
        )
