"""Measuring a trained model: what metrics may look at, their numbers and their pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from allmodes.data import Data
from allmodes.data.batch import Batch
from allmodes.figures import drawing
from allmodes.game.composition import Composition
from allmodes.game.noise import rng
from allmodes.game.sampling import draw, eval_mode
from allmodes.metrics import Evaluation, Metric
from allmodes_schemas import Given

Warn = Callable[[str], None]


def evaluation(
    composition: Composition,
    modules: Mapping[str, nn.Module],
    data: Data,
    n: int,
    seed: int,
    iteration: int,
    device: str,
) -> Evaluation:
    """n fresh draws of the model beside as many held-out items.

    `modules` are those that samples are drawn with. Randomness comes from streams of the seed and the iteration alone,
    so that measuring neither changes training nor depends on what was measured before.
    """
    generator = rng(seed, f"evaluation/{iteration}", device)
    real = data.held_out(n, generator)

    def sample(n: int, given: Given) -> Tensor:
        return draw(modules, n, generator, given)

    @torch.no_grad()
    def encode(name: str, x: Tensor) -> Any:
        discriminator = composition.discriminator
        with eval_mode(modules[name], discriminator):
            seen = x.to(device)
            return modules[name](discriminator.network.trunk(seen) if name in composition.heads else seen)

    on_cpu = Batch(real.x.cpu(), None if real.labels is None else real.labels.cpu())
    cpu = rng(seed, f"metrics/{iteration}")
    return Evaluation(sample(n, {}), data, on_cpu, cpu, sample, encode, modules)


def measure(metrics: Mapping[str, Metric], evaluation: Evaluation, warn: Warn) -> dict[str, float]:
    """All metrics' numbers by key. One that fails is reported and left out: it must not cost the run."""
    results: dict[str, float] = {}
    for name, metric in metrics.items():
        try:
            results |= metric.compute(evaluation)
        except Exception as error:
            warn(f"metric {name} failed: {type(error).__name__}: {error}")
    return results


def pictures(
    metrics: Mapping[str, Metric], evaluation: Evaluation, folder: Path, iteration: int, warn: Warn
) -> Iterator[tuple[str, Path]]:
    """The figures of those metrics that have one, by name, each written to `<folder>/<name>-<iteration>.png`."""
    for name, metric in metrics.items():
        try:
            if (figure := metric.figure(evaluation)) is not None:
                yield name, drawing.save(figure, folder / f"{name}-{iteration:08d}.png")
        except Exception as error:
            warn(f"the figure of metric {name} failed: {type(error).__name__}: {error}")
