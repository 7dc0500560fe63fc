"""The core as a plugin: its kinds enter through the same hooks as anybody's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from allmodes.hookspecs import hookimpl
from allmodes.kinds import data, files, losses, metrics, networks, priors
from allmodes_schemas import DatasetConfig, LossTermConfig, MetricConfig, NetworkConfig, PriorConfig


@hookimpl
def allmodes_latent_priors() -> Iterable[type[PriorConfig]]:
    """Gaussian and uniform."""
    return priors.KINDS


@hookimpl
def allmodes_loss_terms() -> Iterable[type[LossTermConfig]]:
    """Three games and three penalties."""
    return losses.KINDS


@hookimpl
def allmodes_datasets() -> Iterable[type[DatasetConfig]]:
    """Mixtures with known modes, digits, torchvision's sets, the user's own files."""
    return (*data.KINDS, *files.KINDS)


@hookimpl
def allmodes_networks() -> Iterable[type[NetworkConfig]]:
    """Multilayer perceptrons and the DCGAN family."""
    return networks.KINDS


@hookimpl
def allmodes_metrics() -> Iterable[type[MetricConfig]]:
    """Modes, Wasserstein distance, classes."""
    return metrics.KINDS


@hookimpl
def allmodes_recipes() -> Path:
    """`gan/...`: plain GANs to compare with."""
    return Path(__file__).parent / "recipes"
