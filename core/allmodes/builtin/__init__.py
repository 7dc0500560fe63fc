"""The core as a plugin: its kinds enter through the same hooks as anybody's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from allmodes.builtin.config import data, features, files, metrics, stacked_mnist

# Under other names: a submodule such as `allmodes.builtin.losses` takes its name here as soon as it is imported.
from allmodes.builtin.config.losses import KINDS as LOSSES
from allmodes.builtin.config.networks import KINDS as NETWORKS
from allmodes.builtin.config.priors import KINDS as PRIORS
from allmodes.registry.hookspecs import hookimpl
from allmodes_schemas import DatasetConfig, FeatureConfig, LossTermConfig, MetricConfig, NetworkConfig, PriorConfig


@hookimpl
def allmodes_latent_priors() -> Iterable[type[PriorConfig]]:
    """Gaussian and uniform."""
    return PRIORS


@hookimpl
def allmodes_loss_terms() -> Iterable[type[LossTermConfig]]:
    """Three games and three penalties."""
    return LOSSES


@hookimpl
def allmodes_datasets() -> Iterable[type[DatasetConfig]]:
    """Mixtures with known modes, digits, torchvision's sets, Stacked MNIST, the user's own files."""
    return (*data.KINDS, *stacked_mnist.DATA, *files.KINDS)


@hookimpl
def allmodes_networks() -> Iterable[type[NetworkConfig]]:
    """Multilayer perceptrons and the DCGAN family."""
    return NETWORKS


@hookimpl
def allmodes_features() -> Iterable[type[FeatureConfig]]:
    """Pixels, random convolutions, torchvision's networks, a classifier."""
    return features.KINDS


@hookimpl
def allmodes_metrics() -> Iterable[type[MetricConfig]]:
    """Modes, classes, distances of points and of features, diversity, inversion, clustering."""
    return (*metrics.KINDS, *stacked_mnist.METRICS)


@hookimpl
def allmodes_recipes() -> Path:
    """`gan/...`: plain GANs to compare with."""
    return Path(__file__).parent / "recipes"
