"""What a model's scores stand beside: those of real data (floors), and those of reference samplers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from statistics import fmean, stdev
from typing import TypeAlias

import torch
from torch import Tensor

from allmodes.data.base import Data
from allmodes.data.batch import Batch
from allmodes.game.noise import rng
from allmodes.game.samplers import check_samples
from allmodes.game.untouched import LostError
from allmodes.metrics.base import Evaluation, Metric, as_numbers, check_keys, owners_of
from allmodes.metrics.reference import ReferenceSampler
from allmodes.registry.faults import FAULTS, as_error, calling
from allmodes_schemas import Given

Failed = Callable[[Metric, Exception], None]
Draw: TypeAlias = Callable[[int, torch.Generator], Tensor]
"""Draws n items from a generator."""
Scores: TypeAlias = dict[str, dict[str, tuple[float, float]]]
"""By the name of a metric and by key, mean and standard deviation over repetitions."""


def measure_floors(
    metrics: Iterable[Metric],
    data: Data,
    samples: int,
    seed: int = 0,
    repeats: int = 5,
    failed: Failed | None = None,
) -> dict[str, tuple[float, float]]:
    """Measure real data as if they had been generated, against other real data: the scores of a perfect sampler.

    Both sides are held-out items, `samples` on each; they share none if the data hold out twice as many. Metrics
    without a floor are left out; so are those that raise, if `failed` is given, which is called with the error.

    Returns:
        By key, the mean and the standard deviation over `repeats` (at least 2) independent repetitions; both NaN where
        one of them withheld the number.
    """
    named = {str(position): metric for position, metric in enumerate(metrics)}
    found = measure_each_floor(named, data, samples, seed, repeats, failed)
    return {key: value for values in found.values() for key, value in values.items()}


def measure_each_floor(
    metrics: Mapping[str, Metric],
    data: Data,
    samples: int,
    seed: int = 0,
    repeats: int = 5,
    failed: Failed | None = None,
    among: Iterable[Metric] = (),
) -> Scores:
    """Measure floors as `measure_floors` does, by the metrics' names; of those that fail there is none.

    Each metric has its own randomness, so that its floor is the same whichever others are measured. `among`: those
    whose numbers' names are taken.
    """
    real = _evaluate_real_items(data.to("cpu"), samples, seed)
    return _measure_each(metrics, (next(real) for _ in range(repeats)), seed, failed, among)


def measure_reference(
    sampler: ReferenceSampler,
    metrics: Mapping[str, Metric],
    data: Data,
    samples: int,
    seed: int = 0,
    repeats: int = 3,
    failed: Failed | None = None,
    among: Iterable[Metric] = (),
) -> Scores:
    """Measure a fitted reference sampler in the place of a model, as `measure_each_floor` measures real data.

    The held-out items that it is compared with are those of the floors. Of one repetition no deviation is known: NaN.
    """
    real = _evaluate_real_items(data.to("cpu"), samples, seed)
    rounds = (_evaluate_draws(sampler, next(real), rng(seed, f"references/{i}")) for i in range(repeats))
    return _measure_each(metrics, rounds, seed, failed, among)


def _measure_each(
    metrics: Mapping[str, Metric],
    rounds: Iterable[tuple[Evaluation, Draw]],
    seed: int,
    failed: Failed | None,
    among: Iterable[Metric],
) -> Scores:
    left = dict(metrics)
    owners = owners_of([*left.values(), *among])
    found = [_measure(left, one, f"floors/{seed}/{i}", dict(owners), failed) for i, one in enumerate(rounds)]
    return {name: _summarise([scores[name] for scores in found]) for name in left}


def _evaluate_real_items(data: Data, n: int, seed: int) -> Iterator[tuple[Evaluation, Draw]]:
    """Make evaluations of a model that draws held-out items, without end, each of others."""
    generator = torch.Generator().manual_seed(seed)

    def draw(n: int, generator: torch.Generator) -> Tensor:
        return data.held_out(n, generator).x

    while True:
        with calling("held-out items of the data", data):
            both = data.held_out(2 * n, generator)
        labels = None if both.labels is None else both.labels[n:]
        yield Evaluation(both.x[:n], data, Batch(both.x[n:], labels), generator), draw


def _evaluate_draws(
    sampler: ReferenceSampler, real: tuple[Evaluation, Draw], generator: torch.Generator
) -> tuple[Evaluation, Draw]:
    """Make an evaluation of a reference sampler from that of held-out items."""
    evaluation, _ = real

    def draw(n: int, generator: torch.Generator) -> Tensor:
        with calling("draw of a reference", sampler):
            return check_samples(sampler.draw(n, generator), n, evaluation.data.shape)

    return evaluation.of(draw(len(evaluation.samples), generator)), draw


def _own(evaluation: Evaluation, draw: Draw, stream: str) -> Evaluation:
    """The same evaluation with randomness of a stream of its own, by which it draws further items, too."""
    generator = rng(0, stream)

    def sample(n: int, given: Given) -> Tensor:
        return draw(n, generator)

    return replace(evaluation, generator=generator, sample=sample)


def _measure(
    metrics: dict[str, Metric],
    measured: tuple[Evaluation, Draw],
    stream: str,
    owners: dict[str, Metric],
    failed: Failed | None,
) -> dict[str, dict[str, float]]:
    """Measure one repetition; a metric that raises is reported and removed."""
    scores, untouched = dict[str, dict[str, float]](), measured[0].untouched()
    for name, metric in tuple(metrics.items()):
        try:
            with untouched.kept():
                scores[name] = as_numbers(metric.floor(_own(*measured, stream)))
            check_keys(metric, scores[name], owners)
            owners |= dict.fromkeys(scores[name], metric)
        except FAULTS as error:
            if failed is None or isinstance(error, LostError):
                raise
            failed(metric, as_error(error))
            del metrics[name]
    return scores


def _summarise(rounds: list[dict[str, float]]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of the numbers that every repetition has."""
    always = [key for key in rounds[-1] if all(key in scores for scores in rounds)]
    return {key: _mean_and_std([scores[key] for scores in rounds]) for key in always}


def _mean_and_std(values: list[float]) -> tuple[float, float]:
    # Some floors cannot be measured with few samples: they are NaN, which `stdev` refuses.
    return fmean(values), stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan
