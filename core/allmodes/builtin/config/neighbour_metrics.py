"""Configs of metrics by nearest neighbours: near to real items, coverage of them, and copies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field
from typing_extensions import override

from allmodes.builtin.config.feature_metrics import FeatureMetricConfig, ReferencedConfig
from allmodes.builtin.config.features import ItemsConfig
from allmodes_schemas import Key

SHARE = Key("higher", unit="share")


class PrecisionRecallConfig(ReferencedConfig):
    """Shares of samples near real items, and of real items near samples, by nearest neighbours of features."""

    kind: Literal["precision_recall"] = "precision_recall"
    k: int = Field(3, ge=1)
    """The neighbour that the ball around an item reaches to."""

    @override
    def names(self) -> Mapping[str, Key]:
        return {"precision": SHARE, "recall": SHARE}

    @override
    def build(self) -> Any:
        from allmodes.metrics import PrecisionRecall

        return PrecisionRecall(self.features, self.k, self.reference)


class DensityCoverageConfig(ReferencedConfig):
    """Density and coverage by nearest neighbours of features, robust to outliers."""

    kind: Literal["density_coverage"] = "density_coverage"
    k: int = Field(5, ge=1)
    """The neighbour that the ball around a real item reaches to."""

    @override
    def names(self) -> Mapping[str, Key]:
        return {"density": Key(), "coverage": SHARE}

    @override
    def build(self) -> Any:
        from allmodes.metrics import DensityCoverage

        return DensityCoverage(self.features, self.k, self.reference)


class ClippedDensityCoverageConfig(ReferencedConfig):
    """Clipped density and coverage: shares of good samples, in which no item counts for more than one."""

    kind: Literal["clipped_density_coverage"] = "clipped_density_coverage"
    k: int = Field(5, ge=1)
    """The neighbour that the ball around a real item reaches to."""

    @override
    def names(self) -> Mapping[str, Key]:
        return {"clipped_density": SHARE, "clipped_coverage": SHARE}

    @override
    def build(self) -> Any:
        from allmodes.metrics import ClippedDensityCoverage

        return ClippedDensityCoverage(self.features, self.k, self.reference)


class MemorisationConfig(FeatureMetricConfig):
    """Distance of samples from the training items over that of held-out items: 1 is no memory, 0 a copy."""

    kind: Literal["memorisation"] = "memorisation"

    @override
    def names(self) -> Mapping[str, Key]:
        return {"memorisation": Key(), "copies": Key(unit="share")}

    @override
    def key(self, name: str) -> str:
        return name if isinstance(self.features, ItemsConfig) else super().key(name)

    @override
    def build(self) -> Any:
        from allmodes.metrics import Memorisation

        return Memorisation(self.features)
