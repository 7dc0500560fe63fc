"""Settings of ClusterGAN's latent, encoder and inversion."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import AuxiliaryConfig, LossTermConfig, MlpConfig, Need, NetworkConfig, PriorConfig, Problem, Shape, Spec

_LATENT = "prior: {kind: baselines.cluster_latent}"
_ENCODER = "auxiliaries.encoder: {kind: baselines.cluster_encoder}"


class ClusterLatentConfig(PriorConfig):
    """ClusterGAN's latent: narrow normal noise beside a unit vector for the cluster."""

    kind: Literal["baselines.cluster_latent"] = "baselines.cluster_latent"
    noise_dim: int = Field(30, ge=1)
    """Size of z_n."""
    modes: int = Field(10, ge=2)
    """Clusters, all equally likely."""
    std: float = Field(0.1, gt=0)
    """Standard deviation of z_n, small enough that clusters do not overlap."""

    @property
    @override
    def offers(self) -> tuple[str, ...]:
        return ("weights",)

    @override
    def parts(self) -> Mapping[str, int | None]:
        return {"code": self.noise_dim + self.modes, "noise": self.noise_dim, "mode": self.modes}

    @override
    def build(self) -> Any:
        from allmodes_baselines.clustergan import ClusterLatent

        return ClusterLatent(self.noise_dim, self.modes, self.std)


class ClusterEncoderConfig(AuxiliaryConfig):
    """ClusterGAN's E, which maps data to z_n and to scores of the clusters; trained with the generator."""

    kind: Literal["baselines.cluster_encoder"] = "baselines.cluster_encoder"
    gives: ClassVar[str] = "mode"
    form: ClassVar[Literal["logits"]] = "logits"
    trained_by: ClassVar[tuple[str, ...]] = ("generator",)

    network: NetworkConfig = MlpConfig(hidden=(128, 128), activation="leaky_relu")
    """The body of E."""

    @override
    def misfit(self, sees: Shape) -> str | None:
        return self.network.misfit((sees,), (1,))

    @override
    def build(self, sees: Shape, parts: Mapping[str, int]) -> Any:
        """E for data of shape `sees`.

        Raises CompositionError where the latent lacks the noise or the modes.
        """
        from allmodes import CompositionError
        from allmodes_baselines.clustergan import ClusterEncoder

        if not {"noise", "mode"} <= parts.keys():
            what = f"{self.kind} estimates noise and modes, which the prior lacks"
            raise CompositionError(f"{what}: take {_LATENT}")
        return ClusterEncoder(self.network.build((sees,), (parts["noise"] + parts["mode"],)), parts["noise"])


class ClusterInversionConfig(LossTermConfig):
    """E should find noise and cluster of a generated item."""

    kind: Literal["baselines.cluster_inversion"] = "baselines.cluster_inversion"
    needs: ClassVar[tuple[Need, ...]] = (
        Need("part", "noise", _LATENT), Need("part", "mode", _LATENT), Need("auxiliary", "mode", _ENCODER),
    )  # fmt: skip

    auxiliary: str = "encoder"
    """The encoder E."""
    beta_n: float = Field(10.0, ge=0)
    """Factor of the mean squared distance of z_n and its estimate."""
    beta_c: float = Field(10.0, ge=0)
    """Factor of the cross entropy of the cluster and its estimate."""

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        encoder = spec.auxiliaries.get(self.auxiliary)
        if encoder is not None and encoder.gives == "mode" and not isinstance(encoder, ClusterEncoderConfig):
            what = f"{self.kind} reads a baselines.cluster_encoder, which auxiliary {self.auxiliary!r} "
            where = (*spec.where(self), "auxiliary")
            yield Problem(where, f"{what}({encoder.kind}) is not: add {_ENCODER}")

    @override
    def build(self) -> Any:
        from allmodes_baselines.clustergan import ClusterInversion

        return ClusterInversion(self.auxiliary, self.beta_n, self.beta_c)
