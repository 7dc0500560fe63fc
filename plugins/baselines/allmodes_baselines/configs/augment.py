"""Settings of discriminators that see transformed items: DiffAugment and ADA."""

from typing import Any, Literal, TypeAlias

from pydantic import Field
from typing_extensions import override

from allmodes import Shape
from allmodes_baselines.configs.around import AroundConfig

Transform: TypeAlias = Literal["color", "translation", "cutout", "flip", "turn", "noise"]


class _AugmentConfig(AroundConfig):
    transforms: tuple[Transform, ...] = Field(("color", "translation", "cutout"), min_length=1)
    """What befalls an item, in this order; all but `noise` are for images."""

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        for name in self.transforms if len(sees[0]) != 3 else ():
            if name != "noise":
                return f"{name} transforms images, not items of shape {sees[0]}: set transforms: [noise]"
        if "turn" in self.transforms and sees[0][1:] != sees[0][:0:-1]:
            return f"turn needs square images, not {sees[0]}: leave it out of transforms"
        return super().misfit(sees, gives)


class DiffAugmentConfig(_AugmentConfig):
    """A discriminator that sees randomly transformed items alone, of data and of the generator (DiffAugment)."""

    kind: Literal["baselines.diff_augment"] = "baselines.diff_augment"

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes import Around
        from allmodes_baselines.diff_augment import Transformed

        return Around(Transformed(self.build_inner(sees, gives), self.transforms))


class AdaConfig(_AugmentConfig):
    """A discriminator that sees items transformed with a probability that adapts (ADA)."""

    kind: Literal["baselines.ada"] = "baselines.ada"
    target: float = Field(0.6, gt=-1, lt=1)
    """Mean sign of the scores of data that the probability is to keep."""
    items: int = Field(500_000, ge=1)
    """Items of data in which the probability can move from 0 to 1."""

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes import Around
        from allmodes_baselines.ada import Adapted

        return Around(Adapted(self.build_inner(sees, gives), self.transforms, self.target, self.items))
