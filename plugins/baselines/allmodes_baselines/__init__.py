"""Known remedies against mode collapse as one plugin of allmodes, one short file for each method."""

from collections.abc import Iterable
from pathlib import Path

from allmodes import AuxiliaryConfig, LossTermConfig, hookimpl
from allmodes_baselines.configs.ali import AliConfig, EncoderConfig
from allmodes_baselines.configs.msgan import ModeSeekingConfig
from allmodes_baselines.configs.unrolled import UnrolledConfig


@hookimpl
def allmodes_auxiliary_networks() -> Iterable[type[AuxiliaryConfig]]:
    """Networks beside the two, by method."""
    return (EncoderConfig,)


@hookimpl
def allmodes_loss_terms() -> Iterable[type[LossTermConfig]]:
    """Games and terms, by method."""
    return (AliConfig, ModeSeekingConfig, UnrolledConfig)


@hookimpl
def allmodes_recipes() -> Path:
    """`baselines/...`."""
    return Path(__file__).parent / "recipes"
