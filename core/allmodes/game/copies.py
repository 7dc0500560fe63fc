"""Copies of a network that losses compare with: an average of its past weights."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self

from typing_extensions import override

from allmodes.game.contracts import Fitting, Part

if TYPE_CHECKING:
    from allmodes.game.step import Step


class MovingCopy(Part):
    """A copy of a module that follows it slowly: `keep` of it stays at each update, the rest is the module's.

    Keep one in a loss term: it is made by the term's fit, moves after the updates of the players that the term serves
    (or of those in `follows`), is trained by nobody, and is saved and resumed with the run. It always runs as in
    evaluation: BatchNorm by the module's own statistics, nothing dropped or disturbed.

    Args:
        module: The name of the module: `generator`, `discriminator`, or that of an auxiliary.
        keep: Share of the copy that stays, from 0 (the module before its last update) to below 1.
        follows: Players after whose updates it moves.
    """

    def __init__(self, module: str, keep: float = 0.99, follows: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.name, self.keep, self.follows = module, keep, follows

    @override
    def fit(self, fitting: Fitting) -> None:
        self.copied = copy.deepcopy(fitting.modules[self.name]).requires_grad_(False).eval()

    @override
    def forward(self, *inputs: Any) -> Any:
        return self.copied(*inputs)

    @override
    def after_update(self, step: Step) -> None:
        for name, mean in self.copied.named_parameters():
            mean.copy_(mean.lerp(step.tensor(self.name, name), 1 - self.keep))
        for name, buffer in self.copied.named_buffers():
            buffer.copy_(step.tensor(self.name, name))

    @override
    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for child in self.children():
            child.eval()
        return self
