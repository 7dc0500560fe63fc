"""Settings of InfoGAN's latent, its head Q and the information term."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import AuxiliaryConfig, LossTermConfig, MlpConfig, Need, NetworkConfig, PriorConfig, Problem, Shape, Spec

_LATENT = "prior: {kind: baselines.info_latent}"
_HEAD = "auxiliaries.q: {kind: baselines.q_head}"


class InfoLatentConfig(PriorConfig):
    """InfoGAN's latent: uniform noise, a category, and a few uniform entries that become its style."""

    kind: Literal["baselines.info_latent"] = "baselines.info_latent"
    noise_dim: int = Field(62, ge=1)
    """Size of the noise, which is not estimated."""
    modes: int = Field(10, ge=2)
    """Categories, all equally likely."""
    style_dim: int = Field(2, ge=0)
    """Continuous entries of the code, uniform between -1 and 1."""

    @property
    @override
    def offers(self) -> tuple[str, ...]:
        return ("weights", "style_entropy") if self.style_dim else ("weights",)

    @override
    def parts(self) -> Mapping[str, int | None]:
        style = {"style": self.style_dim} if self.style_dim else {}
        dim = self.noise_dim + self.modes + self.style_dim
        return {"code": dim, "noise": self.noise_dim, "mode": self.modes, **style}

    @override
    def build(self) -> Any:
        from allmodes_baselines.infogan import InfoLatent

        return InfoLatent(self.noise_dim, self.modes, self.style_dim)


class QHeadConfig(AuxiliaryConfig):
    """InfoGAN's Q: a head on the discriminator's features that guesses category and style."""

    kind: Literal["baselines.q_head"] = "baselines.q_head"
    gives: ClassVar[str] = "mode"
    form: ClassVar[Literal["logits"]] = "logits"
    sees: ClassVar[Literal["data", "features"]] = "features"
    trained_by: ClassVar[tuple[str, ...]] = ("discriminator", "generator")

    network: NetworkConfig = MlpConfig(hidden=(128,), activation="leaky_relu")
    """The body, from the features to the parameters of Q."""
    variance: Literal["one", "learned"] = "one"
    """Variance of the Gaussian over the style: 1, as the authors have it on MNIST, or learned for each item."""

    @override
    def build(self, sees: Shape, parts: Mapping[str, int]) -> Any:
        """Q for features of shape `sees`.

        Raises CompositionError where the latent has no modes.
        """
        from allmodes import CompositionError
        from allmodes_baselines.infogan import QHead

        if "mode" not in parts:
            raise CompositionError(f"{self.kind} estimates modes, which the prior lacks: take {_LATENT}")
        modes, style, learned = parts["mode"], parts.get("style", 0), self.variance == "learned"
        body = self.network.build((sees,), (modes + style * (2 if learned else 1),))
        return QHead(body, modes, style, learned)


class InformationConfig(LossTermConfig):
    """Minus a lower bound of the mutual information of code and generated item, for both players."""

    kind: Literal["baselines.information"] = "baselines.information"
    needs: ClassVar[tuple[Need, ...]] = (
        Need("part", "mode", _LATENT), Need("prior", "weights", _LATENT), Need("auxiliary", "mode", _HEAD, "logits"),
    )  # fmt: skip

    auxiliary: str = "q"
    """Q: a head, or an auxiliary of another method that reads data."""
    learners: Literal["both", "generator"] = "both"
    """Whom it serves: the discriminator learns from a head on its features alone."""

    @property
    @override
    def serves(self) -> tuple[str, ...]:
        return ("discriminator", "generator") if self.learners == "both" else ("generator",)

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        where, q = spec.where(self), spec.auxiliaries.get(self.auxiliary)
        if self.learners == "both" and q is not None and q.sees == "data":
            what = f"auxiliary {self.auxiliary!r} reads data, so the discriminator learns nothing from it"
            yield Problem((*where, "learners"), f"{what}: set learners: generator")
        yield from self._check_style(spec)

    def _check_style(self, spec: Spec) -> Iterable[Problem]:
        # The bound of a style takes its entropy, and Q's Gaussian of it.
        where, head = spec.where(self), spec.auxiliaries.get(self.auxiliary)
        if "style" not in spec.prior.parts():
            return
        if "style_entropy" not in spec.prior.offers:
            what = (
                f"{self.kind} needs the style_entropy of the part style, which prior {spec.prior.kind} does not offer"
            )
            yield Problem(where, f"{what}: take {_LATENT}")
        if head is not None and not isinstance(head, QHeadConfig):
            what = f"{self.kind} reads the style that a baselines.q_head estimates, and auxiliary {self.auxiliary!r}"
            yield Problem((*where, "auxiliary"), f"{what} ({head.kind}) does not: add {_HEAD}")

    @override
    def build(self) -> Any:
        from allmodes_baselines.infogan import Information

        return Information(self.auxiliary, self.serves)
