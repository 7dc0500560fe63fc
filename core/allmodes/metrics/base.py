"""What a metric is and may look at, and what real data score on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from allmodes.data import Data
from allmodes.data.batch import Batch
from allmodes_schemas import Given, MetricConfig

if TYPE_CHECKING:
    from allmodes.metrics.spaces import Spaces

Better: TypeAlias = Literal["higher", "lower", "near"]
"""Which values are good: larger ones, smaller ones, or those near what real data score."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a metric may look at.

    Attributes:
        samples: Draws of the model (N, *shape), on the CPU.
        data: What was learned, on any device.
        real: As many items that were not trained on, on the CPU.
        generator: Randomness for metrics that need some, on the CPU.
        sample: Draws more from the model, n of them with parts of the latent held fixed; on the CPU.
        encode: The output of an auxiliary by name, for items (B, *shape).
        modules: The trained modules by name, `prior` and `generator` as samples are drawn with; on the run's device.
        memo: What metrics of this evaluation share, such as features; each metric uses keys of its own making.
    """

    samples: Tensor
    data: Data
    real: Batch
    generator: torch.Generator
    sample: Callable[[int, Given], Tensor] | None = None
    encode: Callable[[str, Tensor], Any] | None = None
    modules: Mapping[str, nn.Module] = field(default_factory=dict)
    memo: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def of(self, samples: Tensor) -> Evaluation:
        """The same evaluation of other samples."""
        return replace(self, samples=samples, memo={})


class Metric:
    """Numbers about samples. `better` says for each key of `compute` which values are good.

    Attributes:
        spaces: The feature spaces of an experiment, each built once; given by `built`.
    """

    better: ClassVar[Mapping[str, Better]] = {}
    spaces: Spaces

    def prepare(self, data: Data) -> None:
        """Get ready before training: build what takes long, or may turn out to be missing."""

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        """The numbers by key; NaN for one that is withheld, since the samples do not tell it."""
        raise NotImplementedError(f"{type(self).__name__} does not define compute(evaluation)")

    def floor(self, evaluation: Evaluation) -> dict[str, float]:
        """The numbers of a perfect sampler, whose samples are real items; empty where there is no such thing."""
        return self.compute(evaluation)

    def figure(self, evaluation: Evaluation) -> Any:
        """A matplotlib figure that shows what the numbers cannot, or None."""
        return None


def built(configs: Iterable[MetricConfig]) -> dict[str, Metric]:
    """The metrics by title, sharing their feature spaces."""
    from allmodes.metrics.spaces import Spaces

    metrics: dict[str, Metric] = {config.title(): config.build() for config in configs}
    spaces = Spaces()
    for metric in metrics.values():
        metric.spaces = spaces
    return metrics


def floors(
    metrics: Iterable[Metric],
    data: Data,
    samples: int,
    seed: int = 0,
    repeats: int = 5,
    failed: Callable[[Metric, Exception], None] | None = None,
) -> dict[str, tuple[float, float]]:
    """What a perfect sampler scores: real data measured as if they had been generated, against real data.

    Both sides are held-out items, `samples` on each; they share none if the data hold out twice as many. Metrics for
    which there is no such thing are left out; so are those that raise, where `failed` is there to be told of them.

    Returns:
        By key, the mean and the standard deviation over `repeats` (at least 2) independent repetitions; both NaN where
        one of them withheld the number.
    """
    data, generator, left = data.to("cpu"), torch.Generator().manual_seed(seed), list(metrics)
    rounds = [_score(left, _real_against_real(data, samples, generator), failed) for _ in range(repeats)]
    always = [key for key in rounds[-1] if all(key in scores for scores in rounds)]
    return {key: _mean_and_std([scores[key] for scores in rounds]) for key in always}


def _real_against_real(data: Data, n: int, generator: torch.Generator) -> Evaluation:
    """An evaluation whose model draws held-out items."""
    both = data.held_out(2 * n, generator)
    labels = None if both.labels is None else both.labels[n:]

    def sample(n: int, given: Given) -> Tensor:
        return data.held_out(n, generator).x

    return Evaluation(both.x[:n], data, Batch(both.x[n:], labels), generator, sample)


def _score(
    metrics: list[Metric], evaluation: Evaluation, failed: Callable[[Metric, Exception], None] | None
) -> dict[str, float]:
    """One round; a metric that raises is told, and taken out of the list for the rounds to come."""
    scores: dict[str, float] = {}
    for metric in tuple(metrics):
        try:
            scores |= {key: float(value) for key, value in metric.floor(evaluation).items()}
        except Exception as error:
            if failed is None:
                raise
            failed(metric, error)
            metrics.remove(metric)
    return scores


def _mean_and_std(values: list[float]) -> tuple[float, float]:
    # Some floors cannot be measured with few samples: they are NaN, which `stdev` does not take.
    return fmean(values), stdev(values) if all(map(math.isfinite, values)) else math.nan
