"""Settings of DRAGAN."""

from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig


class DraganConfig(LossTermConfig):
    """Pulls the discriminator's slope around data to 1, under any game (Kodali et al., 2017)."""

    kind: Literal["baselines.dragan"] = "baselines.dragan"
    serves: ClassVar[tuple[str, ...]] = ("discriminator",)
    penalises_gradients: ClassVar[bool] = True

    strength: float = Field(10.0, ge=0)
    """The paper's lambda."""
    scale: float = Field(0.5, ge=0)
    """How far around data, in standard deviations of the batch."""

    @override
    def build(self) -> Any:
        from allmodes_baselines.dragan import Dragan

        return Dragan(self.strength, self.scale)
