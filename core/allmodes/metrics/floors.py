"""Floors: the scores of real data on each metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from statistics import fmean, stdev

import torch
from torch import Tensor

from allmodes.data.base import Data
from allmodes.data.batch import Batch
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
    data, generator, left = data.to("cpu"), torch.Generator().manual_seed(seed), list(metrics)
    rounds = [_measure(left, _evaluate_real_items(data, samples, generator), failed) for _ in range(repeats)]
    always = [key for key in rounds[-1] if all(key in scores for scores in rounds)]
    return {key: _mean_and_std([scores[key] for scores in rounds]) for key in always}


def _evaluate_real_items(data: Data, n: int, generator: torch.Generator) -> Evaluation:
    """Make an evaluation of a model that draws held-out items."""
    with calling("held-out items of the data", data):
        both = data.held_out(2 * n, generator)
    labels = None if both.labels is None else both.labels[n:]

    def sample(n: int, given: Given) -> Tensor:
        return data.held_out(n, generator).x

    return Evaluation(both.x[:n], data, Batch(both.x[n:], labels), generator, sample)


def _measure(metrics: list[Metric], evaluation: Evaluation, failed: Failed | None) -> dict[str, float]:
    """Measure one repetition; a metric that raises is reported and removed from the list."""
    scores, owners, untouched = dict[str, float](), owners_of(metrics), evaluation.untouched()
    for metric in tuple(metrics):
        try:
            with untouched.kept():
                numbers = as_numbers(metric.floor(evaluation))
            check_keys(metric, numbers, owners)
            scores, owners = scores | numbers, owners | dict.fromkeys(numbers, metric)
        except FAULTS as error:
            if failed is None or isinstance(error, LostError):
                raise
            failed(metric, as_error(error))
            metrics.remove(metric)
    return scores


def _mean_and_std(values: list[float]) -> tuple[float, float]:
    # Some floors cannot be measured with few samples: they are NaN, which `stdev` refuses.
    return fmean(values), stdev(values) if all(map(math.isfinite, values)) else math.nan
