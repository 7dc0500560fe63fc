"""Settings of the evidence bound."""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Need, Problem, Spec

_ENCODER = "auxiliaries.encoder: {kind: baselines.encoder}"


class EvidenceBoundConfig(LossTermConfig):
    """A variational autoencoder of generator and encoder, beside a game or alone (Kingma and Welling, 2014)."""

    kind: Literal["baselines.evidence_bound"] = "baselines.evidence_bound"
    needs: ClassVar[tuple[Need, ...]] = (Need("auxiliary", "code", _ENCODER, "gaussian"),)
    serves: ClassVar[tuple[str, ...]] = ("generator",)

    auxiliary: str = "encoder"
    """The encoder, which gives a mean and a variance."""
    std: float = Field(0.3, gt=0)
    """Standard deviation s of the noise through which items are seen, in the data's unit: the smaller, the sharper
    are items, and the further is the latent of data from the prior."""

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        if spec.prior.kind != "gaussian":
            what = f"{self.kind} draws codes to the standard normal distribution, not to {spec.prior.kind}"
            yield Problem(("prior",), f"{what}: take {{kind: gaussian}}")

    @override
    def build(self) -> Any:
        from allmodes_baselines.evidence import EvidenceBound

        return EvidenceBound(self.auxiliary, self.std)
