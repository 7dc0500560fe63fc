"""Settings of the parts with which every mode is kept: a local latent, a residual generator, charts, and two losses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, MlpConfig, Need, NetworkConfig, PriorConfig, Problem, Sane, Shape, Spec

if TYPE_CHECKING:
    from allmodes_bourgan.atlas import AtlasOptions

LOCAL = "prior: {kind: bourgan.local}"

Subsample = Annotated[int, Sane(10**7), Field(ge=2)]
Charts = Annotated[int, Sane(2**14), Field(ge=1)]


class LocalConfig(PriorConfig):
    """A training item plus noise of its local width, the local scale there, and further noise."""

    kind: Literal["bourgan.local"] = "bourgan.local"
    subsample: Subsample = 8192
    """Training items that it draws around, or all where there are fewer; endless data are drawn from once."""
    further: Annotated[int, Sane(2**16)] = Field(2, ge=0)
    """Entries of normal noise beside the item."""

    @override
    def parts(self) -> Mapping[str, int | None]:
        return {"code": None, "item": None, "scale": None}

    @override
    def size(self) -> int | None:
        return None

    @override
    def build(self) -> Any:
        from allmodes_bourgan.local import Local

        return Local(self.subsample, self.further)


class ResidualConfig(NetworkConfig):
    """A generator that adds to the latent's item a network's output, 0 at first, in units of the local scale."""

    kind: Literal["bourgan.residual"] = "bourgan.residual"
    wraps: ClassVar[str] = "network"

    network: NetworkConfig = MlpConfig()
    """The network inside, of any kind; it sees the item and the further noise as two inputs."""

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        # Another latent has no scales in its entries.
        if not isinstance(spec.prior, LocalConfig):
            what = f"{self.kind} moves items by their local scales, which prior {spec.prior.kind} does not give"
            yield Problem(spec.where(self), f"{what}: take {LOCAL}")

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        if len(sees) > 1 or len(sees[0]) > 1:
            return f"{self.kind} is a generator, on the latent of {LOCAL}, not a map from {sees} to {gives}"
        return self.network.misfit(self._inner(sees, gives), gives)

    @override
    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int | None:
        return self.network.parameters(self._inner(sees, gives), gives)

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes_bourgan.residual import residual

        return residual(self.network.build(self._inner(sees, gives), gives), gives)

    def _inner(self, sees: tuple[Shape, ...], gives: Shape) -> tuple[Shape, ...]:
        """What the network inside sees: the item, as a vector, and the further noise, if any."""
        d = prod(gives)
        further = max(sees[0][0] - 2 * d, 0)  # before the latent is fitted, its size counts as 1
        return ((d,), (further,)) if further else ((d,),)


class ChartConfig(NetworkConfig):
    """A network that sees local coordinates beside its input: soft clusters of the data, and where within them."""

    kind: Literal["bourgan.chart"] = "bourgan.chart"
    wraps: ClassVar[str] = "network"

    network: NetworkConfig = MlpConfig()
    """The network inside, of any kind that takes vectors."""
    charts: Charts = 128
    """Room for so many clusters; the fit decides how many there are, and keeps the largest where there are more."""
    subsample: Subsample = 8192
    """Training items that clusters are found among, or all where there are fewer."""

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        return self.network.misfit(self._inner(sees), gives)

    @override
    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int | None:
        return self.network.parameters(self._inner(sees), gives)

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes import Around
        from allmodes_bourgan.atlas import Atlas
        from allmodes_bourgan.chart import Charted

        atlas = Atlas(prod(sees[0]), atlas_options(self))
        return Around(Charted(self.network.build(self._inner(sees), gives), atlas))

    def _inner(self, sees: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ((2 * prod(sees[0]) + self.charts,), *sees[1:])


class LocalPenaltyConfig(LossTermConfig):
    """Pulls the discriminator's slope at data and at generated data to 0, in units of the data's local scale."""

    kind: Literal["bourgan.local_penalty"] = "bourgan.local_penalty"
    serves: ClassVar[tuple[str, ...]] = ("discriminator",)
    penalises_gradients: ClassVar[bool] = True

    gamma: float = Field(1.0, ge=0)
    """The penalty is gamma/2 times each of the two mean squared slopes."""
    charts: Charts = 128
    """Room for clusters; with the charts of the networks it is one fit."""
    subsample: Subsample = 8192
    """Training items that clusters are found among, or all where there are fewer."""

    @override
    def build(self) -> Any:
        from allmodes_bourgan.local_penalty import LocalPenalty

        return LocalPenalty(self.gamma, atlas_options(self))


class PairingConfig(LossTermConfig):
    """Pulls what is generated to the item that its latent was drawn around, in units of the local scale."""

    kind: Literal["bourgan.pairing"] = "bourgan.pairing"
    serves: ClassVar[tuple[str, ...]] = ("generator",)
    needs: ClassVar[tuple[Need, ...]] = (Need("part", "item", LOCAL), Need("part", "scale", LOCAL))

    @override
    def build(self) -> Any:
        from allmodes_bourgan.pairing import Pairing

        return Pairing()


def atlas_options(config: ChartConfig | LocalPenaltyConfig) -> AtlasOptions:
    """The options of a config's atlas."""
    from allmodes_bourgan.atlas import AtlasOptions

    return AtlasOptions(**{name: getattr(config, name) for name in AtlasOptions._fields})
