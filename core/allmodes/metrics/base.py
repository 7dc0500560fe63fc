"""The base class of metrics, and the evaluation that they measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from allmodes.data.base import Data
from allmodes.data.batch import Batch
from allmodes.metrics.feature_cache import FeatureCache
from allmodes.registry.faults import build
from allmodes_schemas import Given, MetricConfig


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Samples of a model beside real items: the input of a metric.

    Attributes:
        samples: Draws of the model (N, *shape), on the CPU.
        data: The data set that the model learns, on any device.
        real: As many items that were not trained on, on the CPU.
        generator: Randomness for metrics that need some, on the CPU; they take no other.
        sample: Draws more from the model, n of them with parts of the latent held fixed; on the CPU.
        encode: The output of an auxiliary by name, for items (B, *shape); on the run's device.
        modules: The trained modules by name, `prior` and `generator` as samples are drawn with; on the run's device.
        memo: Values that the metrics of this evaluation share, such as features, by keys of their own making.

    In the place of a model, the evaluation of a floor has held-out items: `samples`, others than `real` where the data
    have enough, and what `sample` draws, whatever is given. There `encode` is None, `modules` is empty, and `data` is
    on the CPU.
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
        """Return the same evaluation of other samples."""
        return replace(self, samples=samples, memo={})


class Metric:
    """Numbers about samples by key; `MetricConfig.numbers` declares how each is read and shown."""

    @cached_property
    def feature_cache(self) -> FeatureCache:
        """Feature spaces, each built once; metrics from `build_metrics` share one cache."""
        return FeatureCache()

    def prepare(self, data: Data) -> None:
        """Get ready before training: build what takes long, or may turn out to be missing."""

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        """Compute the numbers by key; NaN withholds a number that the samples are too few or too bad for."""
        raise NotImplementedError(f"{type(self).__name__} does not define compute(evaluation)")

    def floor(self, evaluation: Evaluation) -> dict[str, float]:
        """Compute the numbers of a perfect sampler, whose samples are real items; empty where it has none."""
        return self.compute(evaluation)

    def chance(self, data: Data) -> dict[str, float]:
        """Return the numbers of a sampler that knows only the range of the data; empty where nobody knows them.

        Modes count as captured only while each of these numbers is more than twice as large.
        """
        return {}

    def figure(self, evaluation: Evaluation) -> Any:
        """Draw a matplotlib figure, written at each evaluation and shown in MLflow, or return None."""
        return None


def as_numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Convert what a metric returned, such as tensors of one number. Raises TypeError, ValueError for other things."""
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise TypeError(f"numbers by name are needed, not {values!r}")
    return {key: float(value) for key, value in values.items()}


def build_metrics(configs: Iterable[MetricConfig]) -> dict[str, Metric]:
    """Build the metrics by title; they share one feature cache."""
    metrics = {config.title(): build("metric", Metric, config) for config in configs}
    cache = FeatureCache()
    for metric in metrics.values():
        metric.feature_cache = cache
    return metrics
