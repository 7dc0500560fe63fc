"""Known remedies against mode collapse as one plugin of allmodes, a short file for each method."""

from collections.abc import Iterable
from pathlib import Path

from allmodes import AuxiliaryConfig, LossTermConfig, NetworkConfig, PriorConfig, SamplerConfig, hookimpl
from allmodes_baselines.configs.ali import AliConfig, EncoderConfig
from allmodes_baselines.configs.augment import AdaConfig, DiffAugmentConfig
from allmodes_baselines.configs.clustergan import ClusterEncoderConfig, ClusterInversionConfig, ClusterLatentConfig
from allmodes_baselines.configs.deligan import MixtureOfGaussiansConfig, WidthConfig
from allmodes_baselines.configs.diffusion import DiffusionConfig
from allmodes_baselines.configs.fourier import FourierConfig
from allmodes_baselines.configs.gdpp import DeterminantalConfig
from allmodes_baselines.configs.generators import GeneratorsConfig, ModesConfig
from allmodes_baselines.configs.infogan import InfoLatentConfig, InformationConfig, QHeadConfig
from allmodes_baselines.configs.instance_noise import InstanceNoiseConfig
from allmodes_baselines.configs.minibatch_std import MinibatchStdConfig
from allmodes_baselines.configs.msgan import ModeSeekingConfig
from allmodes_baselines.configs.rejection import RejectionConfig
from allmodes_baselines.configs.residual import ResidualConfig
from allmodes_baselines.configs.spectral_norm import SpectralNormConfig
from allmodes_baselines.configs.truncated import TruncatedConfig
from allmodes_baselines.configs.unrolled import UnrolledConfig


@hookimpl
def allmodes_latent_priors() -> Iterable[type[PriorConfig]]:
    """Latents with modes, and around a latent."""
    return (ClusterLatentConfig, InfoLatentConfig, MixtureOfGaussiansConfig, ModesConfig, TruncatedConfig)


@hookimpl
def allmodes_networks() -> Iterable[type[NetworkConfig]]:
    """Around a network: layers, features, inputs, several in one."""
    return (
        AdaConfig,
        DiffAugmentConfig,
        DiffusionConfig,
        FourierConfig,
        GeneratorsConfig,
        InstanceNoiseConfig,
        MinibatchStdConfig,
        ResidualConfig,
        SpectralNormConfig,
    )


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
def allmodes_samplers() -> Iterable[type[SamplerConfig]]:
    """What happens at sampling."""
    return (RejectionConfig,)


@hookimpl
def allmodes_recipes() -> Path:
    """`baselines/...`."""
    return Path(__file__).parent / "recipes"
