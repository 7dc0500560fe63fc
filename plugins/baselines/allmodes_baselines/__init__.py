"""Known remedies against mode collapse as one plugin of allmodes, a short file for each method."""

from collections.abc import Iterable
from pathlib import Path

from allmodes import AuxiliaryConfig, LossTermConfig, PriorConfig, hookimpl
from allmodes_baselines.configs.ali import AliConfig, EncoderConfig
from allmodes_baselines.configs.clustergan import ClusterEncoderConfig, ClusterInversionConfig, ClusterLatentConfig
from allmodes_baselines.configs.deligan import MixtureOfGaussiansConfig, WidthConfig
from allmodes_baselines.configs.gdpp import DeterminantalConfig
from allmodes_baselines.configs.infogan import InfoLatentConfig, InformationConfig, QHeadConfig
from allmodes_baselines.configs.msgan import ModeSeekingConfig
from allmodes_baselines.configs.unrolled import UnrolledConfig


@hookimpl
def allmodes_latent_priors() -> Iterable[type[PriorConfig]]:
    """Latents with modes."""
    return (ClusterLatentConfig, InfoLatentConfig, MixtureOfGaussiansConfig)


@hookimpl
def allmodes_auxiliary_networks() -> Iterable[type[AuxiliaryConfig]]:
    """Encoders and heads that estimate the latent."""
    return (ClusterEncoderConfig, EncoderConfig, QHeadConfig)


@hookimpl
def allmodes_loss_terms() -> Iterable[type[LossTermConfig]]:
    """Games, and terms beside a game."""
    return (
        AliConfig,
        ClusterInversionConfig,
        DeterminantalConfig,
        InformationConfig,
        ModeSeekingConfig,
        UnrolledConfig,
        WidthConfig,
    )


@hookimpl
def allmodes_recipes() -> Path:
    """`baselines/...`."""
    return Path(__file__).parent / "recipes"
