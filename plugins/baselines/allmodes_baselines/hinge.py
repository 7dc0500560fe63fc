r"""The hinge game (Lim and Ye, 2017; arXiv 1705.02894), D as a support vector machine.

.. math::
    \min_D\ E_x \max(0, 1 - D(x)) + E_z \max(0, 1 + D(G(z))), \qquad \min_G\ -E_z D(G(z))

D learns only from items within the margin, and no longer from those that it has put where they belong.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import relu
from typing_extensions import override

from allmodes import Game, Step


class Hinge(Game):
    """D: max(0, 1 - D(x)) + max(0, 1 + D(y)); G: -D(y)."""

    @override
    def discriminator(self, step: Step) -> Tensor:
        return relu(1 - step.score("real")).mean() + relu(1 + step.score("fake")).mean()

    @override
    def generator(self, step: Step) -> Tensor:
        return -step.score("fake").mean()
