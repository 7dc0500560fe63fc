r"""A history of generated items (Shrivastava, Pfister, Tuzel, Susskind, Wang, Webb; CVPR 2017), around any game.

A share of the generated items that D learns from are old ones, drawn from the last ones that D has seen:

.. math:: \min_D\ V(D; x, \tilde y), \qquad \tilde y_i \in \{G_{t-1}(z), G_{t-2}(z), \dots\}\ \text{for}\ i \le sB,
    \quad \tilde y_i = G_t(z_i)\ \text{else}

so that D does not forget where G was; the authors take s = 1/2. G's loss is the game's. After each of D's updates the
first :math:`sB` new items, with their codes, take the place of the oldest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Fitting, Loss, LossTerm, Step

NAME = "baselines.replay"
"""The view's name, and the place of its noise."""


class Replay(LossTerm):
    """The losses of a game; that of the discriminator sees old items among the generated ones."""

    items: Tensor
    codes: Tensor

    def __init__(self, game: LossTerm, size: int = 1000, share: float = 0.5) -> None:
        super().__init__()
        self.game, self.size, self.share, self.follows = game, size, share, ("discriminator",)

    @override
    def fit(self, fitting: Fitting) -> None:
        # the first old items are those of the untrained generator
        super().fit(fitting)
        latent = fitting.modules["prior"](fitting.noise.at("latent"), self.size)
        self.register_buffer("items", fitting.modules["generator"](latent.z).detach())
        self.register_buffer("codes", latent.code.detach().clone())

    @override
    def losses(self) -> Mapping[str, Loss]:
        losses = dict(self.game.losses())
        return {**losses, "discriminator": lambda step: losses["discriminator"](cast("Step", _Mixed(step, self)))}

    def mixed(self, step: Step, bank: Tensor, new: Tensor) -> Tensor:
        """Old items or codes, then new ones."""
        old = min(int(self.share * step.n), self.size)
        drawn = (step.noise.at(NAME).uniform("which", old) * self.size).long()
        return torch.cat([bank[drawn], new[len(drawn) :]])

    @override
    def after_update(self, step: Step) -> None:
        new = min(int(self.share * step.n), self.size)
        for bank, made in ((self.items, step.fake), (self.codes, step.latent.code)):
            bank.copy_(torch.cat([made[:new], bank[: self.size - new]]))


class _Mixed:
    """A step whose generated items are in part old ones where they are judged."""

    def __init__(self, step: Step, rule: Replay) -> None:
        items, codes = rule.items, rule.codes
        self.step = step
        self.mixed = step.view(
            NAME, lambda: rule.mixed(step, items, step.fake), lambda: rule.mixed(step, codes, step.latent.code)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.step, name)

    def score(self, side: str) -> Tensor:
        return self.step.score(self.mixed if side == "fake" else side)

    def features(self, side: str) -> Tensor:
        return self.step.features(self.mixed if side == "fake" else side)
