"""Floors: the scores of real data on each metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from statistics import fmean, stdev

import torch
from torch import Tensor

from allmodes.data.base import Data
from allmodes.data.batch import Batch
from allmodes.game.noise import rng
from allmodes.game.untouched import LostError
from allmodes.metrics.base import Evaluation, Metric, as_numbers, check_keys, owners_of
from allmodes.registry.faults import FAULTS, as_error, calling
from allmodes_schemas import Given

Failed = Callable[[Metric, Exception], None]


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
) -> dict[str, dict[str, tuple[float, float]]]:
    """Measure floors as `measure_floors` does, by the metrics' names; of those that fail there is none.

    Each metric has its own randomness, so that its floor is the same whichever others are measured. `among`: those
    whose numbers' names are taken.
    """
    data, items, left = data.to("cpu"), torch.Generator().manual_seed(seed), dict(metrics)
    owners = owners_of([*left.values(), *among])
    rounds = [
        _measure(left, _evaluate_real_items(data, samples, items), f"floors/{seed}/{i}", dict(owners), failed)
        for i in range(repeats)
    ]
    return {name: _summarise([scores[name] for scores in rounds]) for name in left}


def _evaluate_real_items(data: Data, n: int, generator: torch.Generator) -> Evaluation:
    """Make an evaluation of a model that draws held-out items."""
    with calling("held-out items of the data", data):
        both = data.held_out(2 * n, generator)
    labels = None if both.labels is None else both.labels[n:]

    return Evaluation(both.x[:n], data, Batch(both.x[n:], labels), generator)


def _own(evaluation: Evaluation, stream: str) -> Evaluation:
    """The same evaluation with randomness of a stream of its own, by which it draws further items, too."""
    generator = rng(0, stream)

    def sample(n: int, given: Given) -> Tensor:
        return evaluation.data.held_out(n, generator).x

    return replace(evaluation, generator=generator, sample=sample)


def _measure(
    metrics: dict[str, Metric], evaluation: Evaluation, stream: str, owners: dict[str, Metric], failed: Failed | None
) -> dict[str, dict[str, float]]:
    """Measure one repetition; a metric that raises is reported and removed."""
    scores, untouched = dict[str, dict[str, float]](), evaluation.untouched()
    for name, metric in tuple(metrics.items()):
        try:
            with untouched.kept():
                scores[name] = as_numbers(metric.floor(_own(evaluation, stream)))
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
    return fmean(values), stdev(values) if all(map(math.isfinite, values)) else math.nan
