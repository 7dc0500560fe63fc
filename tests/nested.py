"""Kinds of a plugin `acme` that hold kinds of their own slot."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from allmodes.builtin.config.networks import MlpConfig
from allmodes_schemas import LossTermConfig, NetworkConfig, PriorConfig


class ScaledConfig(NetworkConfig):
    """Any network, with its output scaled."""

    wraps: ClassVar[str] = "network"

    kind: Literal["acme.scaled"] = "acme.scaled"
    network: NetworkConfig = MlpConfig(hidden=(8,))
    """The network within."""
    by: float = 2.0
    """The factor."""

    def build(self, sees: Any, gives: Any) -> Any:
        """The network."""
        from allmodes import Around, Trunk
        from nested_modules import Scaled

        network = self.network.build(sees, gives)
        return Around(Trunk(network), Scaled(network, self.by))


class MeanConfig(NetworkConfig):
    """The mean of networks, of those of a mapping included."""

    kind: Literal["acme.mean"] = "acme.mean"
    networks: tuple[NetworkConfig, ...] = Field(min_length=1)
    """The networks."""
    named: dict[str, NetworkConfig] = {}
    """Further ones."""
    last: NetworkConfig | None = None
    """Another one."""

    def build(self, sees: Any, gives: Any) -> Any:
        """The network."""
        from nested_modules import Mean

        inner = [*self.networks, *self.named.values(), *([self.last] if self.last else [])]
        return Mean([network.build(sees, gives) for network in inner])


class TruncatedConfig(PriorConfig):
    """Any prior, with its entries clipped."""

    wraps: ClassVar[str] = "prior"

    kind: Literal["acme.truncated"] = "acme.truncated"
    prior: PriorConfig
    """The prior within."""
    at: float = Field(2.0, gt=0)
    """The largest size of an entry."""
    asks: bool = False
    """Whether its sizes are properties."""

    def build(self) -> Any:
        """The prior."""
        from nested_modules import Asking, Truncated

        return (Asking if self.asks else Truncated)(self.prior.build(), self.at)


class FoundConfig(PriorConfig):
    """A point of the data with noise: how large it is shows once the data are there."""

    kind: Literal["acme.found"] = "acme.found"

    def parts(self) -> Mapping[str, int | None]:
        """One of a size that the fit decides."""
        return {"code": None}

    def build(self) -> Any:
        """The prior."""
        from nested_modules import Found

        return Found()


class TopKConfig(LossTermConfig):
    """Any game, in which the generator learns from the items with the best scores alone (Sinha et al., 2020)."""

    wraps: ClassVar[str] = "game"

    kind: Literal["acme.top_k"] = "acme.top_k"
    game: LossTermConfig
    """The game within."""
    share: float = Field(0.5, gt=0, le=1)
    """The share of the items that counts."""

    def build(self) -> Any:
        """The term."""
        from nested_modules import TopK

        return TopK(self.game.build(), self.share)


KINDS = (ScaledConfig, MeanConfig, TruncatedConfig, FoundConfig, TopKConfig)
