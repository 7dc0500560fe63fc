"""The feature spaces of an experiment, each built once."""

from __future__ import annotations

from torch import nn

from allmodes.data.base import Data
from allmodes.registry.builds import build
from allmodes_schemas import FeatureConfig


class FeatureCache:
    """Feature modules by their config and the data that they were built from."""

    def __init__(self) -> None:
        self._modules: dict[tuple[str, str], nn.Module] = {}

    def module(self, config: FeatureConfig, data: Data) -> nn.Module:
        """Return the module of these features; build it at the first call."""
        key = (config.model_dump_json(), data.fingerprint)
        if key not in self._modules:
            self._modules[key] = build("features", nn.Module, config, data)
        return self._modules[key]
