"""Settings of a residual generator."""

from math import prod
from typing import Any, Literal

from typing_extensions import override

from allmodes import Shape
from allmodes_baselines.configs.around import AroundConfig


class ResidualConfig(AroundConfig):
    """A generator that adds a network's output, 0 at first, to its latent."""

    kind: Literal["baselines.residual"] = "baselines.residual"

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        if len(sees) > 1 or len(sees[0]) > 1:
            return f"{self.kind} is a generator: it adds one vector to its output, not inputs of shapes {sees}"
        if sees[0][0] < prod(gives):
            n = prod(gives)
            return f"{self.kind} adds the latent to items of {n} entries, but it has {sees[0][0]}: set prior.dim: {n}"
        return super().misfit(sees, gives)

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes_baselines.residual import residual

        return residual(self.build_inner(sees, gives), gives)
