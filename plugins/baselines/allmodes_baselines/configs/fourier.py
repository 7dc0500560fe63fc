"""Settings of random Fourier features."""

from math import prod
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import Sane, Shape
from allmodes_baselines.configs.around import AroundConfig


class FourierConfig(AroundConfig):
    """A network that sees waves of random frequencies in place of its first input."""

    kind: Literal["baselines.fourier"] = "baselines.fourier"
    frequencies: Annotated[int, Sane(2**16)] = Field(64, ge=1)
    """Waves, each a cosine and a sine."""
    scale: float = Field(1.0, gt=0)
    """Standard deviation of the frequencies: the inverse of the distance at which points should look different."""

    @override
    def inner(self, sees: tuple[Shape, ...]) -> tuple[Shape, ...]:
        return ((2 * self.frequencies,), *sees[1:])

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes import Around
        from allmodes_baselines.fourier import Waves

        return Around(Waves(self.build_inner(sees, gives), prod(sees[0]), self.frequencies, self.scale))
