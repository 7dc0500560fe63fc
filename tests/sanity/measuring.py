"""Numbers along the sweeps of a check, and what of that which is asked they do."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Generator

from allmodes import Data, Evaluation, MetricConfig, TensorData, training_items
from allmodes.data import Mixture
from allmodes.data.batch import Batch
from allmodes.metrics import build_metrics
from sanity.checks import Check, Point, Sampler
from sanity.numbers import ANY, NUMBERS, OF_MODES

Values = Mapping[str, float]
CONSTANT = ("high_quality_radius", "high_quality_points", "kid_std_items")
"""Numbers that describe the measurement, or another number."""


@dataclass(frozen=True)
class Verdict:
    """Whether a number does what is asked of it along a sweep of a check."""

    key: str
    check: str
    sweep: str
    what: str
    passed: bool


def judge(check: Check, seeds: Sequence[int] = (0,), metrics: Sequence[MetricConfig] = ()) -> Iterator[Verdict]:
    """Yield the verdicts of all numbers, or of those of some metrics, on a check, by their means over seeds."""
    for title, points in check.sweeps.items():
        found, own = zip(*(measure_sweep(points, seed, metrics) for seed in seeds), strict=True)
        for key in filter(NUMBERS.__contains__, found[0][0]):
            number = NUMBERS[key]
            g = number.goodness(_means(found, key), _means(own, key))
            for asked in check.asked:
                criterion = asked.criteria.get(number.role)
                if criterion is not None and (number.bounded or not asked.bound):
                    yield Verdict(key, check.name, title, asked.what, criterion(g))


def _means(rounds: Sequence[Sequence[Values]], key: str) -> list[float]:
    """The mean over rounds of a number at each point."""
    return [fmean(values[key] for values in point) for point in zip(*rounds, strict=True)]


def measure_sweep(
    points: Sequence[Point], seed: int = 0, metrics: Sequence[MetricConfig] = ()
) -> tuple[list[Values], list[Values]]:
    """Measure the samples at each point, and other real items in their place."""
    found, own = list[Values](), list[Values]()
    for position, point in enumerate(points):
        found.append(measure(point, point.fake, seed, position + 1, metrics))
        known = position and _real_of(point) == _real_of(points[position - 1])
        own.append(own[-1] if known else measure(point, point.real, seed, 0, metrics))
    return found, own


def measure(
    point: Point, model: Sampler | Mixture, seed: int, position: int, metrics: Sequence[MetricConfig] = ()
) -> Values:
    """Measure draws of a model, of another stream of randomness for each position."""
    generator, other = (Generator().manual_seed(1000 * seed + n) for n in (0, 1 + position))
    train, held_out = draw(point.real, point.items, generator), draw(point.real, point.items, generator)
    truth = point.real if isinstance(point.real, Mixture) else None
    classes = None if truth is None else len(truth.means)
    data = TensorData(train.x, train.labels, held_out.x, held_out.labels, classes)
    data.truth = truth
    evaluation = Evaluation(draw(model, point.samples, other).x, data, held_out, other)
    configs = metrics or (*ANY, *(OF_MODES if truth else ()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of too few items for covariances, which is part of what is checked
        return {
            key: value
            for metric in build_metrics(configs).values()
            for key, value in metric.compute(evaluation).items()
        }


def draw(sampler: Sampler | Mixture, n: int, generator: Generator) -> Batch:
    """Draw n items, with labels where modes are known."""
    if isinstance(sampler, Mixture):
        return sampler.draw(n, generator)
    with torch.no_grad():
        return Batch(sampler(n, generator), None)


def _real_of(point: Point) -> tuple[Sampler | Mixture, int, int]:
    return point.real, point.items, point.samples


def copied(sets: Sequence[Data], n: int, configs: Sequence[MetricConfig]) -> Mapping[str, tuple[list[float], ...]]:
    """By number, its values for n new draws of real data in the place of samples, and for copies, one of each set."""
    metrics = build_metrics(configs).values()
    found: dict[str, tuple[list[float], ...]] = {}
    for seed, data in enumerate(sets):
        generator = Generator().manual_seed(seed)
        real, new = (data.held_out(n, generator) for _ in range(2))
        sides = (Evaluation(x, data, real, generator) for x in (new.x, training_items(data, n, generator).x))
        for position, evaluation in enumerate(sides):
            for metric in metrics:
                for key, value in metric.compute(evaluation).items():
                    found.setdefault(key, ([], []))[position].append(value)
    return {key: values for key, values in found.items() if key not in CONSTANT}
