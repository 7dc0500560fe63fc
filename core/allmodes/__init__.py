"""allmodes: compose generative adversarial networks that keep every mode of the data.

The one public door. Importing it loads neither torch nor mlflow; names that need torch are loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from allmodes.hookspecs import hookimpl
from allmodes.registry import Registry, installed
from allmodes.run import Outcome, Run
from allmodes.specs import SpecError
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
    from allmodes.comparing import compare
    from allmodes.comparison import Comparison
    from allmodes.contracts import Auxiliary, Dropout, Fitting, Latent, Loss, LossTerm, Network, Prior
    from allmodes.data import Data, DataError, MixtureData, TensorData, from_dataset
    from allmodes.experiment import Experiment
    from allmodes.losses import Game
    from allmodes.metrics import Evaluation, Metric
    from allmodes.models import ModelError
    from allmodes.noise import Noise
    from allmodes.results import Results
    from allmodes.step import Batch, Step
    from allmodes.trained import Model, load_run

_LAZY = {
    "allmodes.comparing": ("compare",),
    "allmodes.comparison": ("Comparison",),
    "allmodes.contracts": ("Auxiliary", "Dropout", "Fitting", "Latent", "Loss", "LossTerm", "Network", "Prior"),
    "allmodes.data": ("Data", "DataError", "MixtureData", "TensorData", "from_dataset"),
    "allmodes.experiment": ("Experiment",),
    "allmodes.losses": ("Game",),
    "allmodes.metrics": ("Evaluation", "Metric"),
    "allmodes.models": ("ModelError",),
    "allmodes.noise": ("Noise",),
    "allmodes.results": ("Results",),
    "allmodes.step": ("Batch", "Step"),
    "allmodes.trained": ("Model", "load_run"),
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
