"""Settings of instance noise."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import Sane, Shape
from allmodes_baselines.configs.around import AroundConfig


class InstanceNoiseConfig(AroundConfig):
    """A discriminator that sees data and generated items with normal noise, which vanishes."""

    kind: Literal["baselines.instance_noise"] = "baselines.instance_noise"
    std: float = Field(0.1, gt=0)
    """Standard deviation of the noise at first, in the data's units."""
    over: Annotated[int, Sane(2**63)] = Field(10_000, ge=1)
    """Iterations after which there is none; it falls linearly."""

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes import Around
        from allmodes_baselines.instance_noise import Blurred

        return Around(Blurred(self.build_inner(sees, gives), self.std, self.over))
