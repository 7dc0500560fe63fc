"""BourGAN as a plugin of allmodes: a prior from an embedding of the data, and a loss that keeps distances."""

from collections.abc import Iterable
from pathlib import Path

from allmodes import DatasetConfig, LossTermConfig, MetricConfig, NetworkConfig, PriorConfig, hookimpl
from allmodes_bourgan.config import DistanceConfig, DistancesConfig, MetricMixtureConfig
from allmodes_bourgan.data import FashionAndOnesConfig
from allmodes_bourgan.every_mode_config import (
    AtlasConfig,
    ChartConfig,
    CompressedConfig,
    LocalConfig,
    LocalPenaltyConfig,
    PairingConfig,
    ResidualConfig,
)


@hookimpl
def allmodes_latent_priors() -> Iterable[type[PriorConfig]]:
    """The metric mixture, and items with their local widths."""
    return (AtlasConfig, CompressedConfig, LocalConfig, MetricMixtureConfig)


@hookimpl
def allmodes_networks() -> Iterable[type[NetworkConfig]]:
    """A residual generator, and local coordinates for any network."""
    return (ChartConfig, ResidualConfig)


@hookimpl
def allmodes_loss_terms() -> Iterable[type[LossTermConfig]]:
    """The distance loss, pairing, and a penalty in local units."""
    return (DistanceConfig, LocalPenaltyConfig, PairingConfig)


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


__all__ = [
    "AtlasConfig",
    "ChartConfig",
    "CompressedConfig",
    "DistanceConfig",
    "DistancesConfig",
    "FashionAndOnesConfig",
    "LocalConfig",
    "LocalPenaltyConfig",
    "MetricMixtureConfig",
    "PairingConfig",
    "ResidualConfig",
]
