"""allmodes: compose generative adversarial networks, and see which modes they keep.

The one public door: what a method and a script need. `allmodes.testing` has what the tests of a method need besides.
"""

from typing import TYPE_CHECKING, Any

# The one list of public names: type checkers see them here, and each is loaded when it is first used, so that
# `import allmodes` loads neither torch nor mlflow.
if TYPE_CHECKING:
    from allmodes.builtin.config.arrays import ArraysConfig as ArraysConfig
    from allmodes.builtin.config.csv_file import CsvConfig as CsvConfig
    from allmodes.builtin.config.features import ClassifierConfig as ClassifierConfig
    from allmodes.builtin.config.features import ItemsConfig as ItemsConfig
    from allmodes.builtin.config.features import RandomConvConfig as RandomConvConfig
    from allmodes.builtin.config.features import TorchvisionFeaturesConfig as TorchvisionFeaturesConfig
    from allmodes.builtin.config.image_folder import ImageFolderConfig as ImageFolderConfig
    from allmodes.builtin.config.images import DigitsConfig as DigitsConfig
    from allmodes.builtin.config.images import TorchvisionConfig as TorchvisionConfig
    from allmodes.builtin.config.known_modes import KnownModesConfig as KnownModesConfig
    from allmodes.builtin.config.losses import GradientPenaltyConfig as GradientPenaltyConfig
    from allmodes.builtin.config.losses import NonSaturatingConfig as NonSaturatingConfig
    from allmodes.builtin.config.losses import R1Config as R1Config
    from allmodes.builtin.config.losses import R2Config as R2Config
    from allmodes.builtin.config.losses import RelativisticConfig as RelativisticConfig
    from allmodes.builtin.config.metrics import ClassCoverageConfig as ClassCoverageConfig
    from allmodes.builtin.config.metrics import ClippedDensityCoverageConfig as ClippedDensityCoverageConfig
    from allmodes.builtin.config.metrics import ClusteringConfig as ClusteringConfig
    from allmodes.builtin.config.metrics import ConditionalConfig as ConditionalConfig
    from allmodes.builtin.config.metrics import DensityCoverageConfig as DensityCoverageConfig
    from allmodes.builtin.config.metrics import DiversityGapConfig as DiversityGapConfig
    from allmodes.builtin.config.metrics import FidConfig as FidConfig
    from allmodes.builtin.config.metrics import IvomConfig as IvomConfig
    from allmodes.builtin.config.metrics import KidConfig as KidConfig
    from allmodes.builtin.config.metrics import MemorisationConfig as MemorisationConfig
    from allmodes.builtin.config.metrics import ModesConfig as ModesConfig
    from allmodes.builtin.config.metrics import NdbConfig as NdbConfig
    from allmodes.builtin.config.metrics import PrecisionRecallConfig as PrecisionRecallConfig
    from allmodes.builtin.config.metrics import RkeConfig as RkeConfig
    from allmodes.builtin.config.metrics import ShareConfig as ShareConfig
    from allmodes.builtin.config.metrics import SlicedWassersteinConfig as SlicedWassersteinConfig
    from allmodes.builtin.config.metrics import VendiConfig as VendiConfig
    from allmodes.builtin.config.metrics import WassersteinConfig as WassersteinConfig
    from allmodes.builtin.config.mixtures import CircleConfig as CircleConfig
    from allmodes.builtin.config.mixtures import GridConfig as GridConfig
    from allmodes.builtin.config.mixtures import HighDimensionalConfig as HighDimensionalConfig
    from allmodes.builtin.config.mixtures import MixtureConfig as MixtureConfig
    from allmodes.builtin.config.mixtures import RingConfig as RingConfig
    from allmodes.builtin.config.networks import DcganConfig as DcganConfig
    from allmodes.builtin.config.networks import MlpConfig as MlpConfig
    from allmodes.builtin.config.parquet import ParquetConfig as ParquetConfig
    from allmodes.builtin.config.priors import GaussianConfig as GaussianConfig
    from allmodes.builtin.config.priors import UniformConfig as UniformConfig
    from allmodes.builtin.config.references import BootstrapConfig as BootstrapConfig
    from allmodes.builtin.config.references import CopyConfig as CopyConfig
    from allmodes.builtin.config.references import EmConfig as EmConfig
    from allmodes.builtin.config.stacked_mnist import StackedMnistConfig as StackedMnistConfig
    from allmodes.builtin.losses import NonSaturating as NonSaturating
    from allmodes.builtin.losses import Relativistic as Relativistic
    from allmodes.builtin.losses import WassersteinGame as WassersteinGame
    from allmodes.builtin.networks import Mlp as Mlp
    from allmodes.data import Data as Data
    from allmodes.data import DataError as DataError
    from allmodes.data import FixedData as FixedData
    from allmodes.data import FreshData as FreshData
    from allmodes.data import Mixture as Mixture
    from allmodes.data import MixtureData as MixtureData
    from allmodes.data import TensorData as TensorData
    from allmodes.data import Truth as Truth
    from allmodes.data import equal_coverage as equal_coverage
    from allmodes.data import from_dataset as from_dataset
    from allmodes.data import torchvision_images as torchvision_images
    from allmodes.data import training_items as training_items
    from allmodes.data.batch import Batch as Batch
    from allmodes.experiments.experiment import Experiment as Experiment
    from allmodes.experiments.film import make_film as make_film
    from allmodes.experiments.results import Results as Results
    from allmodes.figures.draw import draw_matrix as draw_matrix
    from allmodes.figures.draw import draw_rows as draw_rows
    from allmodes.game.around import Around as Around
    from allmodes.game.around import Head as Head
    from allmodes.game.around import Trunk as Trunk
    from allmodes.game.compose import CompositionError as CompositionError
    from allmodes.game.contracts import NOTHING as NOTHING
    from allmodes.game.contracts import Auxiliary as Auxiliary
    from allmodes.game.contracts import Dropout as Dropout
    from allmodes.game.contracts import Fitting as Fitting
    from allmodes.game.contracts import Functions as Functions
    from allmodes.game.contracts import Gaussian as Gaussian
    from allmodes.game.contracts import Latent as Latent
    from allmodes.game.contracts import Network as Network
    from allmodes.game.contracts import Noisy as Noisy
    from allmodes.game.contracts import Part as Part
    from allmodes.game.contracts import Prior as Prior
    from allmodes.game.copies import MovingCopy as MovingCopy
    from allmodes.game.losses import Game as Game
    from allmodes.game.losses import Loss as Loss
    from allmodes.game.losses import LossTerm as LossTerm
    from allmodes.game.noise import Noise as Noise
    from allmodes.game.noise import seeded as seeded
    from allmodes.game.plain_networks import PlainNetwork as PlainNetwork
    from allmodes.game.samplers import Sampler as Sampler
    from allmodes.game.samplers import Source as Source
    from allmodes.game.sampling import eval_mode as eval_mode
    from allmodes.game.step import Step as Step
    from allmodes.metrics import Evaluation as Evaluation
    from allmodes.metrics import FeatureMetric as FeatureMetric
    from allmodes.metrics import Metric as Metric
    from allmodes.metrics import ReferenceSampler as ReferenceSampler
    from allmodes.metrics import contingency as contingency
    from allmodes.metrics.features import Features as Features
    from allmodes.metrics.features import extract_features as extract_features
    from allmodes.models.page import ModelError as ModelError
    from allmodes.models.reading import load as load
    from allmodes.models.reading import load_run as load_run
    from allmodes.models.trained import Model as Model
    from allmodes.registry.hookspecs import hookimpl as hookimpl
    from allmodes.registry.registry import Registry as Registry
    from allmodes.registry.registry import installed as installed
    from allmodes.registry.slots import Plugin as Plugin
    from allmodes.registry.slots import PluginError as PluginError
    from allmodes.runs.run import Outcome as Outcome
    from allmodes.runs.run import Run as Run
    from allmodes.specs.source import SpecError as SpecError
    from allmodes.studies.compare import compare as compare
    from allmodes.studies.comparison import Comparison as Comparison
    from allmodes.studies.inference import holm as holm
    from allmodes.studies.inference import unpaired_p as unpaired_p
    from allmodes.studies.report import report as report
    from allmodes.system.memory import free_memory as free_memory
    from allmodes_schemas import AdamConfig as AdamConfig
    from allmodes_schemas import AuxiliaryConfig as AuxiliaryConfig
    from allmodes_schemas import DatasetConfig as DatasetConfig
    from allmodes_schemas import DiscriminatorOptions as DiscriminatorOptions
    from allmodes_schemas import FeatureConfig as FeatureConfig
    from allmodes_schemas import Form as Form
    from allmodes_schemas import Given as Given
    from allmodes_schemas import Key as Key
    from allmodes_schemas import LossTermConfig as LossTermConfig
    from allmodes_schemas import MetricConfig as MetricConfig
    from allmodes_schemas import Need as Need
    from allmodes_schemas import NetworkConfig as NetworkConfig
    from allmodes_schemas import PlayerConfig as PlayerConfig
    from allmodes_schemas import PriorConfig as PriorConfig
    from allmodes_schemas import Problem as Problem
    from allmodes_schemas import Ramp as Ramp
    from allmodes_schemas import ReferenceConfig as ReferenceConfig
    from allmodes_schemas import Renamed as Renamed
    from allmodes_schemas import SamplerConfig as SamplerConfig
    from allmodes_schemas import Sane as Sane
    from allmodes_schemas import SgdConfig as SgdConfig
    from allmodes_schemas import Shape as Shape
    from allmodes_schemas import Spec as Spec
    from allmodes_schemas import TurnConfig as TurnConfig
    from allmodes_schemas import at as at
else:
    from importlib import import_module

    from allmodes.system.lazy import read_lazy_imports

    _HOMES = read_lazy_imports(__file__)
    __all__ = sorted(_HOMES)

    def __getattr__(name: str) -> Any:
        """Load a public name when it is first used."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, original = _HOMES[name]
        return getattr(import_module(module), original)

    def __dir__() -> list[str]:
        return __all__


__version__ = "0.1.0"
