"""Settings of the mode-regularised GAN."""

from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Need


class ModeRegularizerConfig(LossTermConfig):
    """The generator should make each item of the data from the code that an encoder finds (Che et al., 2017)."""

    kind: Literal["baselines.mode_regularizer"] = "baselines.mode_regularizer"
    needs: ClassVar[tuple[Need, ...]] = (
        Need("auxiliary", "code", "auxiliaries.encoder: {kind: baselines.encoder, noise: none}"),
        Need("discriminator"),
    )

    auxiliary: str = "encoder"
    """The encoder E."""
    lambda1: float = Field(0.2, ge=0)
    """Factor of the squared distance of an item and what is made from its code."""
    lambda2: float = Field(0.4, ge=0)
    """Factor of minus the logarithm of the discriminator's verdict on what is made from the code."""

    @override
    def build(self) -> Any:
        from allmodes_baselines.mrgan import ModeRegularizer

        return ModeRegularizer(self.auxiliary, self.lambda1, self.lambda2)
