"""Known remedies against mode collapse as one plugin of allmodes, a short file for each method."""

from collections.abc import Iterable
from pathlib import Path

from allmodes import AuxiliaryConfig, LossTermConfig, NetworkConfig, PriorConfig, SamplerConfig, hookimpl
from allmodes_baselines.configs.ali import AliConfig, EncoderConfig
from allmodes_baselines.configs.augment import AdaConfig, DiffAugmentConfig
from allmodes_baselines.configs.began import AutoencoderConfig, BeganConfig
from allmodes_baselines.configs.channels import ChannelsConfig
from allmodes_baselines.configs.clustergan import ClusterEncoderConfig, ClusterInversionConfig, ClusterLatentConfig
from allmodes_baselines.configs.d2gan import D2ganConfig, TwinsConfig
from allmodes_baselines.configs.deligan import MixtureOfGaussiansConfig, WidthConfig
from allmodes_baselines.configs.diffusion import DiffusionConfig
from allmodes_baselines.configs.dragan import DraganConfig
from allmodes_baselines.configs.evidence import EvidenceBoundConfig
from allmodes_baselines.configs.fourier import FourierConfig
from allmodes_baselines.configs.gdpp import DeterminantalConfig
from allmodes_baselines.configs.generators import GeneratorsConfig, ModesConfig
from allmodes_baselines.configs.hinge import HingeConfig
from allmodes_baselines.configs.infogan import InfoLatentConfig, InformationConfig, QHeadConfig
from allmodes_baselines.configs.instance_noise import InstanceNoiseConfig
from allmodes_baselines.configs.lsgan import LeastSquaresConfig
from allmodes_baselines.configs.mgan import ClassifierConfig, WhichGeneratorConfig
from allmodes_baselines.configs.minibatch_std import MinibatchStdConfig
from allmodes_baselines.configs.mrgan import ModeRegularizerConfig
from allmodes_baselines.configs.msgan import ModeSeekingConfig
from allmodes_baselines.configs.rejection import RejectionConfig
from allmodes_baselines.configs.replay import ReplayConfig
from allmodes_baselines.configs.residual import ResidualConfig
from allmodes_baselines.configs.selfcond import ClustersConfig, ClusterSharesConfig, MaskedConfig
from allmodes_baselines.configs.spectral_norm import SpectralNormConfig
from allmodes_baselines.configs.topk import TopKConfig
from allmodes_baselines.configs.truncated import TruncatedConfig
from allmodes_baselines.configs.unrolled import UnrolledConfig
from allmodes_baselines.configs.wgan import ClippingConfig


@hookimpl
def allmodes_latent_priors() -> Iterable[type[PriorConfig]]:
    """Latents with modes, and around a latent."""
    return (
        ClusterLatentConfig,
        ClusterSharesConfig,
        InfoLatentConfig,
        MixtureOfGaussiansConfig,
        ModesConfig,
        TruncatedConfig,
    )


@hookimpl
def allmodes_networks() -> Iterable[type[NetworkConfig]]:
    """Around a network: layers, features, inputs, several in one."""
    return (
        AdaConfig,
        AutoencoderConfig,
        ChannelsConfig,
        DiffAugmentConfig,
        DiffusionConfig,
        FourierConfig,
        GeneratorsConfig,
        InstanceNoiseConfig,
        MaskedConfig,
        MinibatchStdConfig,
        ResidualConfig,
        SpectralNormConfig,
        TwinsConfig,
    )


@hookimpl
def allmodes_auxiliary_networks() -> Iterable[type[AuxiliaryConfig]]:
    """Encoders, heads and clusters that estimate the latent."""
    return (ClassifierConfig, ClusterEncoderConfig, ClustersConfig, EncoderConfig, QHeadConfig)


@hookimpl
def allmodes_loss_terms() -> Iterable[type[LossTermConfig]]:
    """Games, and terms beside a game."""
    return (
        AliConfig,
        BeganConfig,
        ClippingConfig,
        ClusterInversionConfig,
        D2ganConfig,
        DeterminantalConfig,
        DraganConfig,
        EvidenceBoundConfig,
        HingeConfig,
        InformationConfig,
        LeastSquaresConfig,
        ModeRegularizerConfig,
        ModeSeekingConfig,
        ReplayConfig,
        TopKConfig,
        UnrolledConfig,
        WhichGeneratorConfig,
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
