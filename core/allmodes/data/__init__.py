"""Data to learn from: batches, mixtures, finite sets; `data/files` reads the files that users bring."""

from allmodes.data.base import Data, DataError, Device, Loader, training_items
from allmodes.data.files.on_disk import OnDiskData, OnDiskLoader
from allmodes.data.files.torch_dataset import from_dataset
from allmodes.data.finite import EpochLoader, FiniteData, TensorData
from allmodes.data.fresh import FixedMixture, FreshLoader, MixtureData
from allmodes.data.mixture import Mixture
from allmodes.data.sets import digits, torchvision_images

__all__ = [
    "Data",
    "DataError",
    "Device",
    "EpochLoader",
    "FiniteData",
    "FixedMixture",
    "FreshLoader",
    "Loader",
    "Mixture",
    "MixtureData",
    "OnDiskData",
    "OnDiskLoader",
    "TensorData",
    "digits",
    "from_dataset",
    "torchvision_images",
    "training_items",
]
