"""Settings of spectral normalisation."""

from typing import Any, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import Shape
from allmodes_baselines.configs.around import AroundConfig


class SpectralNormConfig(AroundConfig):
    """A network whose linear layers and convolutions are divided by their largest singular values."""

    kind: Literal["baselines.spectral_norm"] = "baselines.spectral_norm"
    iterations: int = Field(1, ge=1, le=100)
    """Steps of the power iteration after each update."""

    @override
    def bounds_slope(self) -> bool:
        return True

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes_baselines.spectral_norm import normalise

        return normalise(self.build_inner(sees, gives), self.iterations)
