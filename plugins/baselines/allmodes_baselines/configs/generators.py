"""Settings of several generators in one, and of a latent that says which of them makes an item."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import GaussianConfig, PriorConfig, Sane, Shape
from allmodes_baselines.configs.around import AroundConfig


class ModesConfig(PriorConfig):
    """A latent of any kind beside a unit vector, the part `mode`, of equally likely modes."""

    kind: Literal["baselines.modes"] = "baselines.modes"
    wraps: ClassVar[str] = "prior"

    prior: PriorConfig = GaussianConfig()
    """The latent beside the mode, of a kind without modes of its own."""
    modes: Annotated[int, Sane(10_000)] = Field(10, ge=2)
    """Modes, all equally likely."""

    @property
    @override
    def offers(self) -> tuple[str, ...]:
        return ("weights", *(name for name in self.prior.offers if name != "weights"))

    @override
    def parts(self) -> Mapping[str, int | None]:
        return {**self.prior.parts(), "mode": self.modes}

    @override
    def size(self) -> int | None:
        inner = self.prior.size()
        return None if inner is None else inner + self.modes

    @override
    def build(self) -> Any:
        from allmodes_baselines.generators import Modes

        return Modes(self.prior.build(), self.modes)


class GeneratorsConfig(AroundConfig):
    """Several generators of one kind; the last entries of the latent, its part `mode`, pick that of an item."""

    kind: Literal["baselines.generators"] = "baselines.generators"
    k: Annotated[int, Sane(1000)] = Field(10, ge=2)
    """Generators, as many as the latent has modes; the cost of an item grows with them."""
    shared: bool = False
    """Whether they share all that follows the features; of `dcgan` that is everything but the first layer."""

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        if len(sees) > 1 or len(sees[0]) > 1 or sees[0][0] <= self.k:
            return f"{self.kind} picks by the last {self.k} entries of a latent that has more, not by {sees}"
        return super().misfit(sees, gives)

    @override
    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int | None:
        one = super().parameters(sees, gives)
        return None if one is None else self.k * one

    @override
    def inner(self, sees: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ((sees[0][0] - self.k,),)

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes_baselines.generators import Generators

        return Generators([self.build_inner(sees, gives) for _ in range(self.k)], self.shared)
