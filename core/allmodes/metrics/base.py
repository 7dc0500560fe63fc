"""The base class of metrics, and the evaluation that they measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from reprlib import repr as short
from typing import Any

import torch
from torch import Tensor, nn

from allmodes.data.base import Data
from allmodes.data.batch import Batch
from allmodes.game.contracts import Auxiliary, in_form
from allmodes.game.untouched import Untouched
from allmodes.metrics.feature_cache import FeatureCache
from allmodes.registry.builds import build, built_from
from allmodes.registry.faults import ContractError, builder_of
from allmodes_schemas import Form, Given, MetricConfig

READERS = "metrics only read"


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
    have enough, and what `sample` draws, whatever is given; that of a reference has the reference sampler's. There
    `encode` is None, `modules` is empty, and `data` is on the CPU.
    """

    samples: Tensor
    data: Data
    real: Batch
    generator: torch.Generator
    sample: Callable[[int, Given], Tensor] | None = None
    encode: Callable[[str, Tensor], Any] | None = None
    modules: Mapping[str, nn.Module] = field(default_factory=dict)
    memo: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def estimate(self, auxiliary: str, x: Tensor, form: Form) -> Any:
        """Return what an auxiliary estimates for items (B, *shape), as a `point`, a `gaussian` or `logits`."""
        assert self.encode is not None, "the evaluation of a floor has no auxiliaries"
        module = self.modules[auxiliary]
        assert isinstance(module, Auxiliary)
        return in_form(module.estimate(self.encode(auxiliary, x)), form)

    def untouched(self) -> Untouched:
        """What metrics only read of it, as it is now."""
        real = {"real.x": self.real.x, "real.labels": self.real.labels}
        return Untouched(READERS, self.modules, self.data, {"samples": self.samples, **real})

    def of(self, samples: Tensor) -> Evaluation:
        """Return the same evaluation of other samples."""
        return replace(self, samples=samples, memo={})


@built_from(MetricConfig)
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
        """Compute the numbers of samples that no model drew; empty where it has none.

        They are real items, as of a perfect sampler, or those of a reference sampler.
        """
        return self.compute(evaluation)

    def chance(self, data: Data) -> dict[str, float]:
        """Return the numbers of a sampler that knows only the range of the data; empty where nobody knows them.

        Modes count as captured only while each of these numbers is more than twice as large.
        """
        return {}

    def figure(self, evaluation: Evaluation) -> Any:
        """Draw a matplotlib figure, written at each evaluation and shown in MLflow, or return None."""
        return None


def as_numbers(values: Any) -> dict[str, float]:
    """Convert what a metric returned, such as tensors of one number. Raises ContractError for other things."""
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise ContractError(f"returns {short(values)}: return numbers by name")
    return {key: _as_number(key, value) for key, value in values.items()}


def _as_number(key: str, value: Any) -> float:
    try:
        if not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError, RuntimeError):
        pass
    raise ContractError(f"gives {short(value)} for {key!r}: give a number")


def owners_of(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """By key, the metric whose config declares it."""
    return {key: metric for metric in metrics for key in _config_of(metric).numbers()}


def check_keys(metric: Metric, numbers: Mapping[str, float], owners: Mapping[str, Metric]) -> None:
    """Raise ContractError where a metric gives a number under the name of another metric's."""
    for key in numbers:
        if key.startswith("recent_"):
            raise ContractError(f"gives a number {key!r}, but means over the end of a run are called recent_")
        if (owner := owners.get(key, metric)) is not metric:
            raise ContractError(f"gives a number {key!r}, which is that of {title_of(owner)}: give it another name")


def title_of(metric: Metric) -> str:
    """The name of a metric within its spec; of one that was built by hand, its class."""
    return _config_of(metric).title()


def _config_of(metric: Metric) -> MetricConfig:
    """The config that a metric was built from; one without numbers where it was built by hand."""
    config = builder_of(metric)
    return config if isinstance(config, MetricConfig) else MetricConfig(kind=type(metric).__name__)


def build_metrics(configs: Iterable[MetricConfig]) -> dict[str, Metric]:
    """Build the metrics by title; they share one feature cache."""
    metrics = {config.title(): build("metric", Metric, config) for config in configs}
    cache = FeatureCache()
    for metric in metrics.values():
        metric.feature_cache = cache
    return metrics
