"""Data to learn from: batches, mixtures, finite sets; `data/files` reads the files that users bring."""

from allmodes.data.base import Data, DataError, Device, Loader, training_items
from allmodes.data.files.on_disk import OnDiskData, OnDiskLoader
from allmodes.data.files.torch_dataset import from_dataset
from allmodes.data.finite import EpochLoader, FiniteData, TensorData
from allmodes.data.fresh import FixedData, FreshData, FreshLoader, MixtureData
from allmodes.data.mixture import Mixture
from allmodes.data.sets import digits, torchvision_images
from allmodes.data.truth import Truth, equal_coverage

__all__ = [
    "Data",
    "DataError",
    "Device",
    "EpochLoader",
    "FiniteData",
    "FixedData",
    "FreshData",
    "FreshLoader",
    "Loader",
    "Mixture",
    "MixtureData",
    "OnDiskData",
    "OnDiskLoader",
    "TensorData",
    "Truth",
    "digits",
    "equal_coverage",
    "from_dataset",
    "torchvision_images",
    "training_items",
]
