"""Settings of the history of generated items."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Problem, Sane, Spec
from allmodes_baselines.configs.inside import check_game


class ReplayConfig(LossTermConfig):
    """A game whose discriminator also sees what the generator made before (Shrivastava et al., 2017)."""

    kind: Literal["baselines.replay"] = "baselines.replay"
    wraps: ClassVar[str] = "game"

    game: LossTermConfig
    """The game."""
    size: Annotated[int, Sane(1_000_000)] = Field(1000, ge=1)
    """Items that are kept."""
    share: float = Field(0.5, gt=0, le=1)
    """Share of a batch of generated items that is old."""

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        return check_game(self, self.game, spec)

    @override
    def build(self) -> Any:
        from allmodes_baselines.replay import Replay

        return Replay(self.game.build(), self.size, self.share)
