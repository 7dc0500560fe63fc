"""The spec of an experiment and the base classes of its parts' configs: pydantic only, no torch."""

from allmodes_schemas.base import Config, Given, KindConfig, Problem, Ramp, Renamed, Scheduled, Shape, at
from allmodes_schemas.components import (
    AuxiliaryConfig,
    DatasetConfig,
    DiscriminatorOptions,
    FeatureConfig,
    LossTermConfig,
    MetricConfig,
    Need,
    NetworkConfig,
    PriorConfig,
)
from allmodes_schemas.spec import EvaluationConfig, Seeds, Spec, StreamConfig, folder_name
from allmodes_schemas.training import (
    AdamConfig,
    CheckpointsConfig,
    EmaConfig,
    OptimizerConfig,
    PlayerConfig,
    SgdConfig,
    TrainingConfig,
    TurnConfig,
)

__all__ = [
    "AdamConfig",
    "AuxiliaryConfig",
    "CheckpointsConfig",
    "Config",
    "DatasetConfig",
    "DiscriminatorOptions",
    "EmaConfig",
    "EvaluationConfig",
    "FeatureConfig",
    "Given",
    "KindConfig",
    "LossTermConfig",
    "MetricConfig",
    "Need",
    "NetworkConfig",
    "OptimizerConfig",
    "PlayerConfig",
    "PriorConfig",
    "Problem",
    "Ramp",
    "Renamed",
    "Scheduled",
    "Seeds",
    "SgdConfig",
    "Shape",
    "Spec",
    "StreamConfig",
    "TrainingConfig",
    "TurnConfig",
    "at",
    "folder_name",
]
