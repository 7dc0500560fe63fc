"""BourGAN as a plugin of allmodes: a prior from an embedding of the data, and a loss that keeps distances."""

from collections.abc import Iterable
from pathlib import Path

from allmodes import DatasetConfig, LossTermConfig, MetricConfig, PriorConfig, hookimpl
from allmodes_bourgan.config import DistanceConfig, DistancesConfig, MetricMixtureConfig
from allmodes_bourgan.data import FashionAndOnesConfig


@hookimpl
def allmodes_latent_priors() -> Iterable[type[PriorConfig]]:
    """The metric mixture."""
    return (MetricMixtureConfig,)


@hookimpl
def allmodes_loss_terms() -> Iterable[type[LossTermConfig]]:
    """The distance loss."""
    return (DistanceConfig,)


@hookimpl
def allmodes_metrics() -> Iterable[type[MetricConfig]]:
    """Distributions of pairwise distances."""
    return (DistancesConfig,)


@hookimpl
def allmodes_datasets() -> Iterable[type[DatasetConfig]]:
    """Fashion-MNIST with a few ones among it."""
    return (FashionAndOnesConfig,)


@hookimpl
def allmodes_recipes() -> Path:
    """`bourgan/...`."""
    return Path(__file__).parent / "recipes"


__all__ = ["DistanceConfig", "DistancesConfig", "FashionAndOnesConfig", "MetricMixtureConfig"]
