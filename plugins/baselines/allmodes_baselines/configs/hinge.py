"""Settings of the hinge game."""

from typing import Any, ClassVar, Literal

from typing_extensions import override

from allmodes import LossTermConfig


class HingeConfig(LossTermConfig):
    """The game whose discriminator learns from the items within a margin (Lim and Ye, 2017)."""

    kind: Literal["baselines.hinge"] = "baselines.hinge"
    is_game: ClassVar[bool] = True

    @override
    def build(self) -> Any:
        from allmodes_baselines.hinge import Hinge

        return Hinge()
