"""The slots that plugins fill: which hook returns which configs, and the plugins and kinds that were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from allmodes_schemas import (
    AuxiliaryConfig,
    DatasetConfig,
    FeatureConfig,
    KindConfig,
    LossTermConfig,
    MetricConfig,
    NetworkConfig,
    PriorConfig,
    ReferenceConfig,
    SamplerConfig,
)

CORE = "allmodes"
"""Name of the core's own plugin, and of its distribution."""

SLOT_BASES: Mapping[str, type[KindConfig]] = {
    "latent_priors": PriorConfig,
    "auxiliary_networks": AuxiliaryConfig,
    "loss_terms": LossTermConfig,
    "samplers": SamplerConfig,
    "datasets": DatasetConfig,
    "networks": NetworkConfig,
    "features": FeatureConfig,
    "metrics": MetricConfig,
    "references": ReferenceConfig,
}
"""By provider hook (without its prefix), the base of the configs that it returns."""

SLOT_NAMES: Mapping[type[KindConfig], str] = {
    PriorConfig: "prior",
    AuxiliaryConfig: "auxiliary",
    LossTermConfig: "loss",
    SamplerConfig: "sampler",
    DatasetConfig: "data",
    NetworkConfig: "network",
    FeatureConfig: "features",
    MetricConfig: "metric",
    ReferenceConfig: "reference",
}
"""By base of a slot's configs, the slot's name in messages."""


class PluginError(Exception):
    """A plugin breaks a rule of the registry, or two installed plugins contradict each other."""


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found; `error` is why it could not be loaded, `origin` where it was installed from."""

    name: str
    distribution: str
    version: str
    error: str | None = None
    origin: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class Kind:
    """A config class and the plugin that provides it."""

    config: type[KindConfig]
    plugin: Plugin

    @property
    def name(self) -> str:
        """The word in a spec."""
        return self.config.kind_name()
