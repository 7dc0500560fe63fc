"""Methods since 2023 as one plugin of allmodes, a short file for each."""

from collections.abc import Iterable
from pathlib import Path

from allmodes import AuxiliaryConfig, LossTermConfig, NetworkConfig, hookimpl
from allmodes_modern.configs.coupling import CouplingConfig
from allmodes_modern.configs.drifting import DriftingConfig
from allmodes_modern.configs.pairing import MatcherConfig, PairingConfig
from allmodes_modern.configs.rs_imle import RejectionImleConfig
from allmodes_modern.configs.switch import SwitchConfig
from allmodes_modern.configs.transport import TransportConfig
from allmodes_modern.configs.uotm import UotmConfig


@hookimpl
def allmodes_auxiliary_networks() -> Iterable[type[AuxiliaryConfig]]:
    """The network that the pairing term trains."""
    return (MatcherConfig,)


@hookimpl
def allmodes_loss_terms() -> Iterable[type[LossTermConfig]]:
    """A game, terms beside a game, and terms that need none."""
    return (CouplingConfig, DriftingConfig, PairingConfig, RejectionImleConfig, TransportConfig, UotmConfig)


@hookimpl
def allmodes_networks() -> Iterable[type[NetworkConfig]]:
    """The generator that jumps."""
    return (SwitchConfig,)


@hookimpl
def allmodes_recipes() -> Path:
    """`modern/...`."""
    return Path(__file__).parent / "recipes"
