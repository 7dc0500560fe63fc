"""Settings of the self-conditioned GAN's latent, clusters and discriminator."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import (
    AuxiliaryConfig,
    MlpConfig,
    NetworkConfig,
    PriorConfig,
    Problem,
    Sane,
    Shape,
    Spec,
)
from allmodes_baselines.configs.around import AroundConfig

_CLUSTERS = "auxiliaries.clusters: {kind: baselines.clusters}"


class MaskedConfig(AroundConfig):
    """A discriminator with an output for each class, of which that of the class that it sees is its score."""

    kind: Literal["baselines.masked"] = "baselines.masked"

    @override
    def inner(self, sees: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return sees[:1]

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        if len(sees) != 2 or gives != (1,):
            return "baselines.masked scores an item by its class: take it as a discriminator, with joint: clusters"
        return super().misfit(sees, gives)

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes_baselines.masked import Masked

        return Masked(self.build_inner(sees, gives), sees[1][0])


class ClustersConfig(AuxiliaryConfig):
    """Clusters of the discriminator's features, found again every so often; its code is an item's cluster."""

    kind: Literal["baselines.clusters"] = "baselines.clusters"
    gives: ClassVar[str] = "code"
    trained_by: ClassVar[tuple[str, ...]] = ()

    network: NetworkConfig = MlpConfig()
    """The discriminator's `network`, of which a copy is kept."""
    pack: Annotated[int, Sane(1024)] = Field(1, ge=1)
    """The discriminator's `pack`."""
    items: Annotated[int, Sane(1_000_000)] = Field(10_000, ge=2)
    """Items of the data that are clustered."""
    refit: Annotated[int, Sane(2**31)] = Field(5000, ge=1)
    """Iterations from one clustering to the next."""

    @override
    def misfit(self, sees: Shape) -> str | None:
        return self.network.misfit(((self.pack * sees[0], *sees[1:]),), (1,))

    @override
    def build(self, sees: Shape, parts: Mapping[str, int]) -> Any:
        from allmodes_baselines.selfcond import Clusters

        phi = self.network.build(((self.pack * sees[0], *sees[1:]),), (1,))
        return Clusters(phi, parts["code"], self.pack, self.items, self.refit)


class ClusterSharesConfig(PriorConfig):
    """Normal noise beside a unit vector for the cluster, each as likely as in the data."""

    kind: Literal["baselines.cluster_shares"] = "baselines.cluster_shares"
    offers: ClassVar[tuple[str, ...]] = ("weights",)

    noise_dim: Annotated[int, Sane(100_000)] = Field(2, ge=1)
    """Size of the noise."""
    modes: Annotated[int, Sane(10_000)] = Field(50, ge=2)
    """Clusters."""

    @override
    def parts(self) -> Mapping[str, int | None]:
        return {"code": self.modes, "noise": self.noise_dim, "mode": self.modes}

    @override
    def size(self) -> int | None:
        return self.noise_dim + self.modes

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        """The clusters must be the discriminator's own."""
        masked, joint = spec.discriminator, getattr(spec.discriminator, "joint", None)
        clusters = spec.auxiliaries.get(joint or "")
        if not isinstance(masked, MaskedConfig) or not isinstance(clusters, ClustersConfig):
            what = f"{self.kind} has the shares of clusters that the discriminator is joint with: add {_CLUSTERS}"
            take = "take {kind: baselines.masked, joint: clusters}, with what is to be around its layers in its network"
            yield Problem(("discriminator",), f"{what}, and {take}")
        elif clusters.network != masked.network or clusters.pack != getattr(masked, "pack", 1):
            what = "clusters are found in the discriminator's features: give them its network and its pack"
            yield Problem(("auxiliaries", str(joint)), what)

    @override
    def build(self) -> Any:
        from allmodes_baselines.cluster_shares import ClusterShares

        return ClusterShares(self.noise_dim, self.modes)
