r"""R1 and R2 in local units: the slope of the score where one unit is the local scale of the data.

.. math:: \frac{\gamma}{2} E \|s(x) \odot \nabla D(x)\|^2 + \frac{\gamma}{2} E \|s(y) \odot \nabla D(y)\|^2, \qquad
    s(x) = \sum_k w_k(x)\, s_k,

of data x and of generated data y = G(z) (R1 and R2 are Mescheder et al.'s, 2018). The usual penalty has the unit of a
squared slope, so that its gamma depends on the data's units, and no gamma suits narrow and wide modes at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from torch import Tensor
from typing_extensions import override

from allmodes import Fitting, Loss, LossTerm, Step
from allmodes_bourgan.atlas import Atlas, AtlasOptions


class LocalPenalty(LossTerm):
    """Both penalties; s is a target that does not move."""

    atlas: Atlas

    def __init__(self, gamma: float, options: AtlasOptions) -> None:
        super().__init__()
        self.gamma, self.options = gamma, options

    @override
    def fit(self, fitting: Fitting) -> None:
        self.atlas = Atlas(prod(fitting.data.shape), self.options)
        super().fit(fitting)

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"discriminator": self.discriminator}

    def discriminator(self, step: Step) -> Tensor:
        """Half the weighted mean squared slope at data, plus that at generated data."""
        return 0.5 * self.gamma * (self.slope(step, "real") + self.slope(step, "fake")).mean()

    def slope(self, step: Step, side: str) -> Tensor:
        """The squared slope (B,) of the score, along each axis times the local scale there."""
        x = step.data(side).detach().flatten(1)
        gradient = step.score_gradients(side)[0].flatten(1)
        return (self.atlas.scale(x) * gradient).square().sum(1)
