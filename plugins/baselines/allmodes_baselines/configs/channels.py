"""Settings of one network for every channel."""

from math import prod
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import MlpConfig, Sane, Shape
from allmodes_baselines.configs.around import AroundConfig


class ChannelsConfig(AroundConfig):
    """The same network for every channel of an image, and a perceptron that joins all channels."""

    kind: Literal["baselines.channels"] = "baselines.channels"
    code: Annotated[int, Sane(2**16)] = Field(32, ge=1)
    """Entries of each channel's code."""
    hidden: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Sane(2**16, length=100)] = (256,)
    """Hidden layers of the perceptron between the latent or the score and all codes."""

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        generates = len(gives) == 3 and [len(shape) for shape in sees] == [1]
        if not generates and ([len(shape) for shape in sees] not in ([3], [3, 1]) or len(gives) != 1):
            mapped = f"{' and '.join(map(str, sees))} to {gives}"
            return f"{self.kind} maps a vector to an image, or an image (and a vector) to a vector, not {mapped}"
        return self.network.misfit(*self._inner(sees, gives))

    @override
    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int | None:
        one, joint = self.network.parameters(*self._inner(sees, gives)), self._joint(sees, gives)
        return None if one is None else one + self._perceptron().parameters(*joint)

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes_baselines.channels import Decoder, encoder

        network = self.network.build(*self._inner(sees, gives))
        joint = self._perceptron().build(*self._joint(sees, gives))
        return Decoder(joint, network, gives) if len(gives) == 3 else encoder(network, joint)

    def _perceptron(self) -> MlpConfig:
        return MlpConfig(hidden=self.hidden, activation="leaky_relu")

    def _inner(self, sees: tuple[Shape, ...], gives: Shape) -> tuple[tuple[Shape, ...], Shape]:
        """What the network of a channel maps."""
        if len(gives) == 3:
            return ((self.code,),), (1, *gives[1:])
        return ((1, *sees[0][1:]),), (self.code,)

    def _joint(self, sees: tuple[Shape, ...], gives: Shape) -> tuple[tuple[Shape, ...], Shape]:
        """What the perceptron maps."""
        if len(gives) == 3:
            return sees, (gives[0] * self.code,)
        return ((sees[0][0] * self.code + sum(map(prod, sees[1:])),),), gives
