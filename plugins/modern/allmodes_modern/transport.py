r"""The transport term of Adversarial Flow Models (Lin, Yang, Lin, Chen and Fan, ICML 2026, arXiv 2511.22475).

A game alone asks for the distribution of the data, and any map from noise to it will do; G wanders from one to another.
Of all of them one moves the noise the least, and the generator's objective leans towards it:

.. math::

    L_{ot} &= E_z \tfrac{1}{n} \|G(z) - z\|_2^2 && (11) \\
    L_G &= L_{adv} + \lambda_{ot} L_{ot} && (14)

z has the size n of an item. lambda is the term's weight, which should fall: too large, G stays near the identity. The
paper's game is the relativistic one with R1, R2 and a centred score; it also normalises the game's gradient (23), which
is not done here.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from typing_extensions import override

from allmodes import Loss, LossTerm, Step


def cost(step: Step, parts: int) -> Tensor:
    """Squared distances of the code, held fixed, and its item (parts,), summed over each of as many equal parts."""
    moved = step.fake.flatten(1) - step.latent.code.detach()
    return moved.reshape(parts, -1).square().sum(1)


class Transport(LossTerm):
    """L_ot of equation (11)."""

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.transport}

    def transport(self, step: Step) -> Tensor:
        """The mean square over entries and batch."""
        return cost(step, step.n).mean() / step.latent.code.shape[1]
