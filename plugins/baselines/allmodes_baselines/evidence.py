r"""The evidence bound (Kingma and Welling, ICLR 2014) beside a game (VAE-GAN; Larsen et al., 2016, arXiv 1512.09300).

An encoder finds the codes from which the generator could have made each item. Both lower, for items of D entries,

.. math:: \frac{1}{D} E_x \Big[ \frac{\|x - G(\hat z)\|_2^2}{2 s^2} + KL(N(\mu(x), \sigma^2(x)) \,\|\, N(0, I)) \Big],
    \qquad \hat z = \mu(x) + \sigma(x)\,\epsilon,

which bounds -log p(x) / D up to a constant where G(z) is seen through noise of standard deviation s. So every item of
the data has a place in the latent, and the latent is full of them. Larsen et al. measure the distance in features of D,
and keep this term from G's part of the game; here the distance is that of the items, as in a VAE.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from typing_extensions import override

from allmodes import Gaussian, Loss, LossTerm, Step
from allmodes_baselines.mrgan import ModeRegularizer

PLACE = "baselines.again"
"""The place of the second pass's noise."""


class EvidenceBound(LossTerm):
    """The negative bound, a mean over entries, for generator and encoder."""

    def __init__(self, auxiliary: str, std: float) -> None:
        super().__init__()
        self.auxiliary, self.std = auxiliary, std

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.generator}

    def generator(self, step: Step) -> Tensor:
        """Averaged over the batch and the entries of an item."""
        code = step.code(self.auxiliary, "real")  # (B, code_dim), drawn
        again: Tensor = step.call("generator", ModeRegularizer.latent(step, code).z, place=PLACE)
        found: Gaussian = step.estimate(self.auxiliary, "real", "gaussian")
        distance = (step.x - again).square().mean() / (2 * self.std**2)
        return distance + divergence(found).mean() / step.x[0].numel()


def divergence(found: Gaussian) -> Tensor:
    """KL (B,) in nats of normal distributions from the standard one."""
    return 0.5 * (found.mean.square() + found.log_variance.exp() - 1 - found.log_variance).sum(1)
