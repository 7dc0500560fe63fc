"""Data to learn from: mixtures drawn without end, and finite items in memory or streamed; loaders resume exactly."""

from allmodes.data.base import Data, DataError, Device, Loader
from allmodes.data.finite import EpochLoader, TensorData
from allmodes.data.fresh import FreshLoader, MixtureData
from allmodes.data.sets import digits, torchvision_images
from allmodes.mixtures import Mixture

__all__ = [
    "Data",
    "DataError",
    "Device",
    "EpochLoader",
    "FreshLoader",
    "Loader",
    "Mixture",
    "MixtureData",
    "TensorData",
    "digits",
    "torchvision_images",
]
