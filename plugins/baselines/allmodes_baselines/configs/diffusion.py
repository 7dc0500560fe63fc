"""Settings of Diffusion-GAN."""

from typing import Any, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import Shape
from allmodes_baselines.configs.around import AroundConfig


class DiffusionConfig(AroundConfig):
    """A discriminator that sees diffused items and how far they are, on a chain that adapts (Diffusion-GAN)."""

    kind: Literal["baselines.diffusion"] = "baselines.diffusion"
    std: float = Field(1.0, gt=0)
    """Standard deviation that the diffusion tends to, in the data's units."""
    speed: float = Field(1.0, gt=0)
    """Steps by which an update changes the chain's length, between 8 and 1000."""

    @override
    def inner(self, sees: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return (*sees, (1,))

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes import Around
        from allmodes_baselines.diffusion import Diffused

        return Around(Diffused(self.build_inner(sees, gives), self.std, self.speed))
