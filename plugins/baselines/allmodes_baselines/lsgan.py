r"""LSGAN (Mao, Li, Xie, Lau, Wang, Paul Smolley; ICCV 2017; arXiv 1611.04076): scores should be near labels.

With a the label of generated data, b that of data, and c what G wants D to say of generated data,

.. math::
    \min_D\ \tfrac12 E_x (D(x) - b)^2 + \tfrac12 E_z (D(G(z)) - a)^2, \qquad
    \min_G\ \tfrac12 E_z (D(G(z)) - c)^2.

Items on the right side of the boundary but far from it are pulled back, where a sigmoid's gradient has vanished. The
labels 0, 1, 1 (the default) are a binary code; with -1, 1, 0 the game lowers Pearson's chi-squared divergence.
"""

from __future__ import annotations

from torch import Tensor
from typing_extensions import override

from allmodes import Game, Step


class LeastSquares(Game):
    """D: ((D(x) - b)^2 + (D(y) - a)^2) / 2; G: (D(y) - c)^2 / 2."""

    def __init__(self, a: float = 0.0, b: float = 1.0, c: float = 1.0) -> None:
        super().__init__()
        self.a, self.b, self.c = a, b, c

    @override
    def discriminator(self, step: Step) -> Tensor:
        real, fake = step.score("real"), step.score("fake")
        return 0.5 * ((real - self.b).square().mean() + (fake - self.a).square().mean())

    @override
    def generator(self, step: Step) -> Tensor:
        return 0.5 * (step.score("fake") - self.c).square().mean()
