"""Settings of top-k training."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Problem, Sane, Spec
from allmodes_baselines.configs.inside import check_game


class TopKConfig(LossTermConfig):
    """A game whose generator learns from its best items alone (Sinha et al., 2020)."""

    kind: Literal["baselines.top_k"] = "baselines.top_k"
    wraps: ClassVar[str] = "game"

    game: LossTermConfig
    """The game."""
    nu: float = Field(0.5, gt=0, le=1)
    """The least share of a batch that the generator learns from."""
    gamma: float = Field(0.99, gt=0, le=1)
    """Factor of the share from one epoch to the next."""
    epoch: Annotated[int, Sane(2**31)] = Field(2000, ge=1)
    """Iterations after which the share falls."""

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        return check_game(self, self.game, spec)

    @override
    def build(self) -> Any:
        from allmodes_baselines.topk import TopK

        return TopK(self.game.build(), self.nu, self.gamma, self.epoch)
