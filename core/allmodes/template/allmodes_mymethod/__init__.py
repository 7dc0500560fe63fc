"""mymethod as a plugin of allmodes: a latent with words, a reader, and what makes words readable."""

from collections.abc import Iterable
from pathlib import Path

from allmodes import AuxiliaryConfig, LossTermConfig, MetricConfig, NetworkConfig, PriorConfig, hookimpl
from allmodes_mymethod.config import LayerConfig, ReaderConfig, ReadingConfig, UnderstoodConfig, WordsConfig


@hookimpl
def allmodes_latent_priors() -> Iterable[type[PriorConfig]]:
    """Noise and a word."""
    return (WordsConfig,)


@hookimpl
def allmodes_auxiliary_networks() -> Iterable[type[AuxiliaryConfig]]:
    """The reader."""
    return (ReaderConfig,)


@hookimpl
def allmodes_loss_terms() -> Iterable[type[LossTermConfig]]:
    """The reading loss."""
    return (ReadingConfig,)


@hookimpl
def allmodes_networks() -> Iterable[type[NetworkConfig]]:
    """The body of the reader."""
    return (LayerConfig,)


@hookimpl
def allmodes_metrics() -> Iterable[type[MetricConfig]]:
    """How many words are understood."""
    return (UnderstoodConfig,)


@hookimpl
def allmodes_recipes() -> Path:
    """`mymethod/...`."""
    return Path(__file__).parent / "recipes"


__all__ = ["LayerConfig", "ReaderConfig", "ReadingConfig", "UnderstoodConfig", "WordsConfig"]
