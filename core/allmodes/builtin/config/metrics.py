"""The core's metrics: their configs, by what they see."""

from __future__ import annotations

from allmodes.builtin.config.distance_metrics import (
    FidConfig,
    IvomConfig,
    KidConfig,
    SlicedWassersteinConfig,
    WassersteinConfig,
)
from allmodes.builtin.config.diversity_metrics import DiversityGapConfig, NdbConfig, RkeConfig, VendiConfig
from allmodes.builtin.config.feature_metrics import FeatureMetricConfig, ReferencedConfig
from allmodes.builtin.config.mode_metrics import (
    ClassCoverageConfig,
    ClusteringConfig,
    ConditionalConfig,
    ModesConfig,
    ShareConfig,
)
from allmodes.builtin.config.neighbour_metrics import (
    ClippedDensityCoverageConfig,
    DensityCoverageConfig,
    MemorisationConfig,
    PrecisionRecallConfig,
)
from allmodes_schemas import MetricConfig

KINDS: tuple[type[MetricConfig], ...] = (
    ModesConfig,
    WassersteinConfig,
    ClassCoverageConfig,
    ShareConfig,
    FidConfig,
    KidConfig,
    PrecisionRecallConfig,
    DensityCoverageConfig,
    ClippedDensityCoverageConfig,
    SlicedWassersteinConfig,
    VendiConfig,
    RkeConfig,
    DiversityGapConfig,
    NdbConfig,
    MemorisationConfig,
    IvomConfig,
    ClusteringConfig,
    ConditionalConfig,
)


__all__ = [
    "KINDS",
    "ClassCoverageConfig",
    "ClippedDensityCoverageConfig",
    "ClusteringConfig",
    "ConditionalConfig",
    "DensityCoverageConfig",
    "DiversityGapConfig",
    "FeatureMetricConfig",
    "FidConfig",
    "IvomConfig",
    "KidConfig",
    "MemorisationConfig",
    "ModesConfig",
    "NdbConfig",
    "PrecisionRecallConfig",
    "ReferencedConfig",
    "RkeConfig",
    "ShareConfig",
    "SlicedWassersteinConfig",
    "VendiConfig",
    "WassersteinConfig",
]
