"""VEEGAN as a plugin of allmodes: a reconstructor, a game on (code, data) pairs, a reconstruction of the code."""

from collections.abc import Iterable
from pathlib import Path

from allmodes import AuxiliaryConfig, LossTermConfig, hookimpl
from allmodes_veegan.config import CodeReconstructionConfig, GameConfig, ReconstructorConfig


@hookimpl
def allmodes_auxiliary_networks() -> Iterable[type[AuxiliaryConfig]]:
    """The reconstructor."""
    return (ReconstructorConfig,)


@hookimpl
def allmodes_loss_terms() -> Iterable[type[LossTermConfig]]:
    """The game and the reconstruction."""
    return (GameConfig, CodeReconstructionConfig)


@hookimpl
def allmodes_recipes() -> Path:
    """`veegan/...`."""
    return Path(__file__).parent / "recipes"


__all__ = ["CodeReconstructionConfig", "GameConfig", "ReconstructorConfig"]
