"""Settings of Unrolled GAN."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Sane


class UnrolledConfig(LossTermConfig):
    """The game whose generator plays against the discriminator some updates ahead (Metz et al., 2017)."""

    kind: Literal["baselines.unrolled"] = "baselines.unrolled"
    is_game: ClassVar[bool] = True

    updates: Annotated[int, Sane(100)] = Field(5, ge=0)
    """How many updates ahead; with 0 it is the plain game. The generator's step costs about as many times more."""
    objective: Literal["non_saturating", "minimax"] = "non_saturating"
    """What the generator lowers: the loss of `non_saturating`, or the game's value, as the authors' demo has it."""

    @override
    def build(self) -> Any:
        from allmodes_baselines.unrolled import Unrolled

        return Unrolled(self.updates, self.objective)
