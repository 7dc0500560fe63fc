"""NEMGAN as a plugin of allmodes: a latent with modes, an inverter, and what shapes and learns the modes' priors."""

from collections.abc import Iterable
from pathlib import Path

from allmodes import AuxiliaryConfig, LossTermConfig, MetricConfig, NetworkConfig, PriorConfig, hookimpl
from allmodes_nemgan.config import (
    InvarianceConfig,
    InverterConfig,
    LatentInversionConfig,
    ModeMixtureConfig,
    PriorMatchingConfig,
    SparseSupervisionConfig,
)
from allmodes_nemgan.measures import AttributesConfig, PriorErrorConfig
from allmodes_nemgan.released import CriticConfig, EncoderConfig, GeneratorConfig


@hookimpl
def allmodes_latent_priors() -> Iterable[type[PriorConfig]]:
    """Noise plus a mode."""
    return (ModeMixtureConfig,)


@hookimpl
def allmodes_networks() -> Iterable[type[NetworkConfig]]:
    """The released generator, critic and body of the inverter."""
    return (GeneratorConfig, CriticConfig, EncoderConfig)


@hookimpl
def allmodes_auxiliary_networks() -> Iterable[type[AuxiliaryConfig]]:
    """The inverter."""
    return (InverterConfig,)


@hookimpl
def allmodes_loss_terms() -> Iterable[type[LossTermConfig]]:
    """Inversion, prior matching, few labels, and invariance to moves."""
    return (LatentInversionConfig, PriorMatchingConfig, SparseSupervisionConfig, InvarianceConfig)


@hookimpl
def allmodes_metrics() -> Iterable[type[MetricConfig]]:
    """How far the learned priors are off, and what each mode and direction of the latent changes."""
    return (PriorErrorConfig, AttributesConfig)


@hookimpl
def allmodes_recipes() -> Path:
    """`nemgan/...`."""
    return Path(__file__).parent / "recipes"


__all__ = [
    "AttributesConfig",
    "CriticConfig",
    "EncoderConfig",
    "GeneratorConfig",
    "InvarianceConfig",
    "InverterConfig",
    "LatentInversionConfig",
    "ModeMixtureConfig",
    "PriorErrorConfig",
    "PriorMatchingConfig",
    "SparseSupervisionConfig",
]
