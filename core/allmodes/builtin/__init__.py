"""The core as a plugin: its kinds enter through the same hooks as anybody's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from allmodes.builtin.config import features, images, metrics, mixtures, stacked_mnist

# Under other names: a submodule such as `allmodes.builtin.losses` takes its name here as soon as it is imported.
from allmodes.builtin.config import losses as loss_configs
from allmodes.builtin.config import networks as network_configs
from allmodes.builtin.config import priors as prior_configs
from allmodes.builtin.config import references as reference_configs
from allmodes.builtin.config.arrays import ArraysConfig
from allmodes.builtin.config.csv_file import CsvConfig
from allmodes.builtin.config.image_folder import ImageFolderConfig
from allmodes.builtin.config.parquet import ParquetConfig
from allmodes.builtin.config.python import PythonConfig
from allmodes.registry.hookspecs import hookimpl
from allmodes_schemas import (
    DatasetConfig,
    FeatureConfig,
    LossTermConfig,
    MetricConfig,
    NetworkConfig,
    PriorConfig,
    ReferenceConfig,
)

FILES: tuple[type[DatasetConfig], ...] = (ImageFolderConfig, ArraysConfig, CsvConfig, ParquetConfig, PythonConfig)
"""Kinds of the user's own data."""


@hookimpl
def allmodes_latent_priors() -> Iterable[type[PriorConfig]]:
    """Gaussian and uniform."""
    return prior_configs.KINDS


@hookimpl
def allmodes_loss_terms() -> Iterable[type[LossTermConfig]]:
    """Three games and three penalties."""
    return loss_configs.KINDS


@hookimpl
def allmodes_datasets() -> Iterable[type[DatasetConfig]]:
    """Mixtures with known modes, digits, torchvision's sets, Stacked MNIST, the user's own files."""
    return (*mixtures.KINDS, *images.KINDS, *stacked_mnist.DATA, *FILES)


@hookimpl
def allmodes_networks() -> Iterable[type[NetworkConfig]]:
    """Multilayer perceptrons and the DCGAN family."""
    return network_configs.KINDS


@hookimpl
def allmodes_features() -> Iterable[type[FeatureConfig]]:
    """Pixels, random convolutions, torchvision's networks, a classifier."""
    return features.KINDS


@hookimpl
def allmodes_metrics() -> Iterable[type[MetricConfig]]:
    """Modes, classes, distances of points and of features, diversity, inversion, clustering."""
    return (*metrics.KINDS, *stacked_mnist.METRICS)


@hookimpl
def allmodes_references() -> Iterable[type[ReferenceConfig]]:
    """A copy of the training set, a smoothed bootstrap, a mixture by EM."""
    return reference_configs.KINDS


@hookimpl
def allmodes_recipes() -> Path:
    """`gan/...`: plain GANs to compare with."""
    return Path(__file__).parent / "recipes"
