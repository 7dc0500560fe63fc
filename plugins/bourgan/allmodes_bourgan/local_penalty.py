r"""R1 and R2 in local units: the slope of the score where one unit is a standard deviation of the data around.

.. math:: \frac{\gamma}{2} E \|S(x) \nabla D(x)\|^2 + \frac{\gamma}{2} E \|S(y) \nabla D(y)\|^2

of data x and of generated data y = G(z), with S that of an atlas (R1 and R2 are Mescheder et al.'s, 2018). The usual
penalty has the unit of a squared slope, so that its gamma depends on the data's units, and no gamma suits narrow and
wide modes at once.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from typing_extensions import override

from allmodes import Loss, LossTerm, Step
from allmodes_bourgan.atlas import Atlas


class LocalPenalty(LossTerm):
    """Both penalties; S is a target that does not move."""

    def __init__(self, gamma: float, subsample: int) -> None:
        super().__init__()
        self.gamma, self.atlas = gamma, Atlas(subsample)

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"discriminator": self.discriminator}

    def discriminator(self, step: Step) -> Tensor:
        """Half the weighted mean squared slope at data, plus that at generated data."""
        return 0.5 * self.gamma * (self.slope(step, "real") + self.slope(step, "fake")).mean()

    def slope(self, step: Step, side: str) -> Tensor:
        """The squared slope (B,) of the score in local units."""
        x = step.data(side).detach().flatten(1)
        w, _ = self.atlas.locate(self.atlas.standardise(x))
        return self.atlas.stretch(w, step.score_gradients(side)[0].flatten(1)).square().sum(1)
