r"""Top-k training (Sinha, Zhao, Goyal, Raffel, Odena; NeurIPS 2020; arXiv 2002.06224), around any game.

The generator learns only from the k items of a batch that D takes most for real: the gradients of the others are zero.
With B items (packs), k falls with the epoch t:

.. math:: \min_G\ \frac1k \sum_{y \in \text{top-}k} l(D(y)), \qquad k = \lfloor B \max(\gamma^t, \nu) \rfloor

with l the game's loss of an item. Scores keep their values, and so does what a game compares them with; their gradients
are weighted by B/k or 0, of which a mean over the batch makes the mean over the best k.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Loss, LossTerm, Step


class TopK(LossTerm):
    """The losses of a game; that of the generator sees the best k scores of generated items alone."""

    def __init__(self, game: LossTerm, nu: float = 0.5, gamma: float = 0.99, epoch: int = 2000) -> None:
        super().__init__()
        self.game, self.nu, self.gamma, self.epoch = game, nu, gamma, epoch

    @override
    def losses(self) -> Mapping[str, Loss]:
        losses = dict(self.game.losses())
        return {**losses, "generator": lambda step: losses["generator"](cast("Step", _Best(step, self)))}

    def best(self, scores: Tensor, iteration: Tensor) -> Tensor:
        """The same scores (B/pack,), of which only the k largest have gradients."""
        share = torch.clamp(self.gamma ** (iteration // self.epoch), min=self.nu)
        k = (share * len(scores)).floor().clamp_min(1)  # ()
        ranked = scores.detach().sort(descending=True).values
        lowest = ranked.gather(0, (k.long() - 1).reshape(1))  # (1,)
        weights = (scores.detach() >= lowest) * (len(scores) / k)
        return scores.detach() + weights * (scores - scores.detach())


class _Best:
    """A step on which the scores of generated items are those of `best`."""

    def __init__(self, step: Step, rule: TopK) -> None:
        self.step, self.rule = step, rule

    def __getattr__(self, name: str) -> Any:
        return getattr(self.step, name)

    def score(self, side: str) -> Tensor:
        scores = self.step.score(side)
        return self.rule.best(scores, self.step.iteration) if side == "fake" else scores

    def after(self, player: str, updates: int) -> Step:
        # the best are those of D as it will be
        return cast("Step", _Best(self.step.after(player, updates), self.rule))
