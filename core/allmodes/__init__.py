"""allmodes: compose generative adversarial networks that keep every mode of the data.

The one public door. Importing it loads neither torch nor mlflow; names that need torch are loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from allmodes.registry.hookspecs import hookimpl
from allmodes.registry.registry import Registry, installed
from allmodes.runs.run import Outcome, Run
from allmodes.specs.loading import SpecError
from allmodes_schemas import (
    AuxiliaryConfig,
    DatasetConfig,
    FeatureConfig,
    Given,
    LossTermConfig,
    MetricConfig,
    Need,
    NetworkConfig,
    PlayerConfig,
    PriorConfig,
    Problem,
    Ramp,
    Renamed,
    Shape,
    Spec,
    TurnConfig,
)

if TYPE_CHECKING:
    from allmodes.data import Data, DataError, MixtureData, TensorData, from_dataset
    from allmodes.data.batch import Batch
    from allmodes.experiments.experiment import Experiment
    from allmodes.game.contracts import Auxiliary, Dropout, Fitting, Latent, Network, Prior
    from allmodes.game.losses import Game, Loss, LossTerm
    from allmodes.game.noise import Noise
    from allmodes.game.step import Step
    from allmodes.metrics import Evaluation, Metric
    from allmodes.models.format import ModelError
    from allmodes.models.trained import Model, load_run
    from allmodes.runs.results import Results
    from allmodes.studies.compare import compare
    from allmodes.studies.comparison import Comparison

_LAZY = {
    "allmodes.studies.compare": ("compare",),
    "allmodes.studies.comparison": ("Comparison",),
    "allmodes.game.contracts": ("Auxiliary", "Dropout", "Fitting", "Latent", "Network", "Prior"),
    "allmodes.game.losses": ("Game", "Loss", "LossTerm"),
    "allmodes.data": ("Data", "DataError", "MixtureData", "TensorData", "from_dataset"),
    "allmodes.experiments.experiment": ("Experiment",),
    "allmodes.metrics": ("Evaluation", "Metric"),
    "allmodes.models.format": ("ModelError",),
    "allmodes.game.noise": ("Noise",),
    "allmodes.runs.results": ("Results",),
    "allmodes.data.batch": ("Batch",),
    "allmodes.game.step": ("Step",),
    "allmodes.models.trained": ("Model", "load_run"),
}
_HOME = {name: module for module, names in _LAZY.items() for name in names}

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load what needs torch when it is first asked for."""
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'allmodes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "Auxiliary",
    "AuxiliaryConfig",
    "Batch",
    "Comparison",
    "Data",
    "DataError",
    "DatasetConfig",
    "Dropout",
    "Evaluation",
    "Experiment",
    "FeatureConfig",
    "Fitting",
    "Game",
    "Given",
    "Latent",
    "Loss",
    "LossTerm",
    "LossTermConfig",
    "Metric",
    "MetricConfig",
    "MixtureData",
    "Model",
    "ModelError",
    "Need",
    "Network",
    "NetworkConfig",
    "Noise",
    "Outcome",
    "PlayerConfig",
    "Prior",
    "PriorConfig",
    "Problem",
    "Ramp",
    "Registry",
    "Renamed",
    "Results",
    "Run",
    "Shape",
    "Spec",
    "SpecError",
    "Step",
    "TensorData",
    "TurnConfig",
    "compare",
    "from_dataset",
    "hookimpl",
    "installed",
    "load_run",
]
