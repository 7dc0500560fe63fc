"""Base configs of the metrics that compare samples and real items in a feature space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from typing_extensions import override

from allmodes.builtin.config.features import ItemsConfig
from allmodes_schemas import FeatureConfig, Key, MetricConfig


class FeatureMetricConfig(MetricConfig):
    """Base config of the comparisons of samples and real items in a feature space."""

    features: FeatureConfig = ItemsConfig()
    """The feature space, which the names of the numbers end with."""

    def names(self) -> Mapping[str, Key]:
        """The numbers that the metric gives, by key without the title of the features."""
        return {}

    def key(self, name: str) -> str:
        """The key of a number: its name and the title of the features."""
        return f"{name}_{self.features.title()}"

    @override
    def title(self) -> str:
        return self.key(self.kind)

    @override
    def numbers(self) -> Mapping[str, Key]:
        return {self.key(name): key for name, key in self.names().items()}


class ReferencedConfig(FeatureMetricConfig):
    """Base config of the feature metrics that compare with held-out or with training items."""

    reference: Literal["held_out", "train"] = "held_out"
    """Whether samples are compared with held-out items or with as many different ones of those trained on."""
