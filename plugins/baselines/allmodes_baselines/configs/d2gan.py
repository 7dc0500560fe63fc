"""Settings of D2GAN's game and its two discriminators."""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Problem, Shape, Spec
from allmodes_baselines.configs.around import AroundConfig
from allmodes_baselines.configs.inside import find


class TwinsConfig(AroundConfig):
    """Two networks of one kind that see the same: the first gives the score, the second the last of the features."""

    kind: Literal["baselines.twins"] = "baselines.twins"

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        if gives != (1,):
            return f"baselines.twins gives a score, not {gives}: take it as a discriminator"
        return super().misfit(sees, gives)

    @override
    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int | None:
        one = super().parameters(sees, gives)
        return None if one is None else 2 * one

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes_baselines.d2gan import Twins

        return Twins(self.build_inner(sees, gives), self.build_inner(sees, gives))


class D2ganConfig(LossTermConfig):
    """The game of two discriminators, one that is large for data and one for generated data (Nguyen et al., 2017)."""

    kind: Literal["baselines.d2gan"] = "baselines.d2gan"
    is_game: ClassVar[bool] = True

    alpha: float = Field(1.0, gt=0)
    """Weight of the divergence that costs missed modes."""
    beta: float = Field(1.0, gt=0)
    """Weight of the divergence that costs items unlike data."""

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        if spec.discriminator is not None and find(spec.discriminator, TwinsConfig) is None:
            what = f"{self.kind} needs two discriminators, but {spec.discriminator.kind} is one"
            yield Problem(("discriminator",), f"{what}: take {{kind: baselines.twins, network: {{kind: mlp}}}}")

    @override
    def build(self) -> Any:
        from allmodes_baselines.d2gan import D2gan

        return D2gan(self.alpha, self.beta)
