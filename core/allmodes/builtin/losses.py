"""The core's loss terms: three games and three penalties.

s is softplus; D(x) the score of data, D(y) that of generated data y = G(z). A score is large for what the
discriminator takes for real.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import softplus
from typing_extensions import override

from allmodes.game.losses import Game, Loss, LossTerm
from allmodes.game.step import Side, Step


class NonSaturating(Game):
    """D: s(-D(x)) + s(D(y)); G: s(-D(y)) (Goodfellow et al., 2014)."""

    @override
    def discriminator(self, step: Step) -> Tensor:
        return softplus(-step.score("real")).mean() + softplus(step.score("fake")).mean()

    @override
    def generator(self, step: Step) -> Tensor:
        return softplus(-step.score("fake")).mean()


class WassersteinGame(Game):
    """D: D(y) - D(x); G: -D(y) (Arjovsky et al., 2017); needs a penalty that bounds D's slope."""

    @override
    def discriminator(self, step: Step) -> Tensor:
        return step.score("fake").mean() - step.score("real").mean()

    @override
    def generator(self, step: Step) -> Tensor:
        return -step.score("fake").mean()


class Relativistic(Game):
    """D: s(-(D(x) - D(y))); G: s(-(D(y) - D(x))) on pairs (Jolicoeur-Martineau, 2019; Huang et al., 2024)."""

    @override
    def discriminator(self, step: Step) -> Tensor:
        return softplus(step.score("fake") - step.score("real")).mean()

    @override
    def generator(self, step: Step) -> Tensor:
        return softplus(step.score("real") - step.score("fake")).mean()


class GradientPenalty(LossTerm):
    """lambda E[(||grad D||_2 - 1)^2] at random points between data and generated data (Gulrajani et al., 2017)."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"discriminator": self.discriminator}

    def discriminator(self, step: Step) -> Tensor:
        """The slope's squared distance from 1, over all that one score sees."""
        slope = (step.squared_gradient_norm("between") + 1e-12).sqrt()  # (B/pack,); the root has no slope at 0
        return self.strength * (slope - 1).square().mean()


class ZeroCentredPenalty(LossTerm):
    """gamma/2 E||grad D||^2 at data (R1; Mescheder et al., 2018) or at generated data (R2)."""

    def __init__(self, gamma: float, side: Side) -> None:
        super().__init__()
        self.gamma, self.side = gamma, side

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"discriminator": self.discriminator}

    def discriminator(self, step: Step) -> Tensor:
        """Half the weighted mean squared slope."""
        return 0.5 * self.gamma * step.squared_gradient_norm(self.side).mean()
