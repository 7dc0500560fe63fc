"""Settings of the parts with which every mode is kept: a local latent, a residual generator, charts, and two losses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, MlpConfig, Need, NetworkConfig, PriorConfig, Problem, Sane, Shape, Spec
from allmodes_bourgan.config import check_groups

ITEMS = "prior: {kind: bourgan.atlas}"
Subsample = Annotated[int, Sane(10**7), Field(ge=2)]
Further = Annotated[int, Sane(2**16), Field(ge=0)]


class _ItemsConfig(PriorConfig):
    """A latent that begins with a training item in some form."""

    subsample: Subsample = 8192
    """Training items that it knows, or all where there are fewer; of endless data so many are drawn once."""
    further: Further = 2
    """Entries of normal noise beside the item."""

    @override
    def parts(self) -> Mapping[str, int | None]:
        return {"code": None, "item": None, "scale": None}

    @override
    def size(self) -> int | None:
        return None


class AtlasConfig(_ItemsConfig):
    """Training items that are redrawn within charts, which keep their means and covariances."""

    kind: Literal["bourgan.atlas"] = "bourgan.atlas"
    noise: float = Field(0.9, ge=0, le=1)
    """h: 0 copies items, 1 forgets which ones, and draws from the shape of each chart."""

    @override
    def build(self) -> Any:
        from allmodes_bourgan.redrawn import Redrawn

        return Redrawn(self.noise, self.further, self.subsample)


class CompressedConfig(PriorConfig):
    """A Gaussian for each of a few charts of the data, by their shares; no training item is kept."""

    kind: Literal["bourgan.compressed"] = "bourgan.compressed"
    charts: Annotated[int, Sane(2**14)] | None = Field(None, ge=1)
    """m charts, by k-means of all items; none: those of the atlas, whose number held-out items choose."""
    further: Further = 2
    """Entries of normal noise beside the draw."""
    subsample: Subsample = 8192
    """Training items that charts are found among, or all where there are fewer."""

    @override
    def parts(self) -> Mapping[str, int | None]:
        return {"code": None, "scale": None}

    @override
    def size(self) -> int | None:
        return None

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        return check_groups(self, spec, "charts", self.charts, self.subsample)

    @override
    def build(self) -> Any:
        from allmodes_bourgan.compressed import Compressed

        return Compressed(self.charts, self.further, self.subsample)


class LocalConfig(_ItemsConfig):
    """A training item plus noise of its local width, the same in all directions: a smoothed bootstrap."""

    kind: Literal["bourgan.local"] = "bourgan.local"

    @override
    def build(self) -> Any:
        from allmodes_bourgan.local import Local

        return Local(self.subsample, self.further)


class ResidualConfig(NetworkConfig):
    """A generator that adds a network's output, 0 at first, to the latent's first entries, in local units."""

    kind: Literal["bourgan.residual"] = "bourgan.residual"
    wraps: ClassVar[str] = "network"

    network: NetworkConfig = MlpConfig()
    """The network inside, of any kind; it sees the first entries and the others as two inputs."""
    subsample: Subsample = 8192
    """Training items that charts are found among, or all where there are fewer."""

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        if len(sees) > 1 or len(sees[0]) > 1:
            return f"{self.kind} is a generator: it moves the first entries of one vector, not inputs of shapes {sees}"
        if 1 < sees[0][0] < (n := prod(gives)):  # before a fit decides it, the size of a latent counts as 1
            return f"{self.kind} moves items of {n} entries, but the latent has {sees[0][0]}: take {ITEMS}"
        return self.network.misfit(self._inner(sees, gives), gives)

    @override
    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int | None:
        return self.network.parameters(self._inner(sees, gives), gives)

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes_bourgan.residual import residual

        return residual(self.network.build(self._inner(sees, gives), gives), gives, self.subsample)

    def _inner(self, sees: tuple[Shape, ...], gives: Shape) -> tuple[Shape, ...]:
        """What the network inside sees: the item, as a vector, and the further noise, if any."""
        d = prod(gives)
        further = max(sees[0][0] - d, 0)
        return ((d,), (further,)) if further else ((d,),)


class ChartConfig(NetworkConfig):
    """A network that sees local coordinates beside its input: soft charts of the data, and where within them."""

    kind: Literal["bourgan.chart"] = "bourgan.chart"
    wraps: ClassVar[str] = "network"

    network: NetworkConfig = MlpConfig()
    """The network inside, of any kind that takes vectors."""
    code: Annotated[int, Sane(2**12)] = Field(32, ge=1)
    """Numbers that say in which charts a point lies, however many charts there are."""
    subsample: Subsample = 8192
    """Training items that charts are found among, or all where there are fewer."""

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        return self.network.misfit(self._inner(sees), gives)

    @override
    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int | None:
        return self.network.parameters(self._inner(sees), gives)

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes import Around
        from allmodes_bourgan.chart import Charted

        return Around(Charted(self.network.build(self._inner(sees), gives), self.code, self.subsample))

    def _inner(self, sees: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ((2 * prod(sees[0]) + self.code,), *sees[1:])


class LocalPenaltyConfig(LossTermConfig):
    """Pulls the discriminator's slope at data and at generated data to 0, in local units of the data."""

    kind: Literal["bourgan.local_penalty"] = "bourgan.local_penalty"
    serves: ClassVar[tuple[str, ...]] = ("discriminator",)
    penalises_gradients: ClassVar[bool] = True

    gamma: float = Field(1.0, ge=0)
    """The penalty is gamma/2 times each of the two mean squared slopes."""
    subsample: Subsample = 8192
    """Training items that charts are found among, or all where there are fewer."""

    @override
    def build(self) -> Any:
        from allmodes_bourgan.local_penalty import LocalPenalty

        return LocalPenalty(self.gamma, self.subsample)


class PairingConfig(LossTermConfig):
    """Pulls what is generated to the item that its latent was drawn around, in units of the local scale."""

    kind: Literal["bourgan.pairing"] = "bourgan.pairing"
    serves: ClassVar[tuple[str, ...]] = ("generator",)
    needs: ClassVar[tuple[Need, ...]] = (Need("part", "item", ITEMS), Need("part", "scale", ITEMS))

    @override
    def build(self) -> Any:
        from allmodes_bourgan.pairing import Pairing

        return Pairing()
