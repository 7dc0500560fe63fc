r"""UOTM (Choi, Choi and Kang, NeurIPS 2023, arXiv 2305.14777): the generator is an unbalanced optimal transport map.

D is the potential v, G the map T from noise x to data y, and :math:`c(x, y) = \tau \|x - y\|_2^2`:

.. math::

    \inf_v \Big[ E_x \Psi_1^*\big(-\inf_T [c(x, T(x)) - v(T(x))]\big) + E_y \Psi_2^*(-v(y)) \Big] \quad (9)

v lowers all of it, T its inner infimum. Psi* is convex and does not fall. Its slope is the weight of an item: the
identity weighs all alike, which is optimal transport (OTM), the others let outliers go. For the Kullback-Leibler
divergence :math:`\Psi^*(s) = e^s - 1` (13).

T may see further noise (the prior's nuisance, which is not moved). Softplus is scaled here as are the others, to value
0 and slope 1 at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log

import torch
from torch import Tensor
from torch.nn.functional import softplus
from typing_extensions import override

from allmodes import Game, Step
from allmodes_modern.transport import cost

CONJUGATES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "kl": torch.expm1,
    "chi2": lambda s: (s.clamp(min=-2) / 2 + 1).square() - 1,  # of (t - 1)^2, t >= 0
    "softplus": lambda s: 2 * (softplus(s) - log(2)),
    "identity": lambda s: s,
}


class Uotm(Game):
    """The game of (9); packed items are one item, moved by the sum of their distances."""

    def __init__(self, tau: float, source: str, target: str) -> None:
        super().__init__()
        self.tau, self.source, self.target = tau, CONJUGATES[source], CONJUGATES[target]

    @override
    def discriminator(self, step: Step) -> Tensor:
        return self.source(-self.left(step)).mean() + self.target(-step.score("real")).mean()

    @override
    def generator(self, step: Step) -> Tensor:
        return self.left(step).mean()

    def left(self, step: Step) -> Tensor:
        """c(x, T(x)) - v(T(x)) for each score (B/pack,)."""
        v = step.score("fake")
        return self.tau * cost(step, len(v)) - v
