"""Settings of the networks of the released code."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import NetworkConfig, Shape

if TYPE_CHECKING:
    from allmodes_nemgan.networks import Generator, Trunk


class GeneratorConfig(NetworkConfig):
    """The released generator: two wide layers, then six 5x5 transposed convolutions from a quarter of the side up."""

    kind: Literal["nemgan.generator"] = "nemgan.generator"
    upsampling: Literal["late", "early"] = "late"
    """Convolutions before which the side doubles: the 2nd and 5th (NEMGAN-P), or the 1st and 2nd (first version)."""
    dropout: float = Field(0.3, ge=0, lt=1)
    """Probability that an entry of the smallest feature maps is dropped in training."""

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        if len(sees) != 1 or len(sees[0]) != 1 or len(gives) != 3:
            return f"{self.kind} maps a vector to an image, not {_join_shapes(sees)} to {gives}: take kind: mlp"
        if gives[1] != gives[2] or gives[1] % 4:
            return f"{self.kind} gives square images whose side is a multiple of 4, not {gives}: resize them"
        return None

    @override
    def normalises_batches(self) -> bool:
        # Every hidden layer is normalised.
        return True

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> "Generator":
        """The generator of images of shape `gives`, in [-1, 1].

        Raises ValueError with the message of `misfit` where the shapes do not fit.
        """
        from allmodes_nemgan.networks import Generator

        if problem := self.misfit(sees, gives):
            raise ValueError(problem)
        return Generator(sees[0][0], gives, self.upsampling, self.dropout)


class _TrunkConfig(NetworkConfig):
    dropout: float = Field(0.4, ge=0, lt=1)
    """Probability that an entry of a feature map is dropped in training."""

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        if len(sees) != 1 or len(sees[0]) != 3 or len(gives) != 1:
            return f"{self.kind} maps an image to a vector, not {_join_shapes(sees)} to {gives}: take kind: mlp"
        if sees[0][1] != sees[0][2]:
            return f"{self.kind} sees square images, not {sees[0]}: crop or pad them"
        return None


class CriticConfig(_TrunkConfig):
    """The released critic: four 5x5 convolutions with dropout, no normalisation."""

    kind: Literal["nemgan.critic"] = "nemgan.critic"

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> "Trunk":
        from allmodes_nemgan.networks import critic

        return critic(sees[0], gives, self.dropout)


class EncoderConfig(_TrunkConfig):
    """The released inverter's body: five 5x5 convolutions with dropout, each halving the side."""

    kind: Literal["nemgan.encoder"] = "nemgan.encoder"

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> "Trunk":
        from allmodes_nemgan.networks import encoder

        return encoder(sees[0], gives, self.dropout)


def _join_shapes(shapes: tuple[Shape, ...]) -> str:
    return " and ".join(str(shape) for shape in shapes)
