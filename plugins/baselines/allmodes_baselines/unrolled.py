r"""Unrolled GAN (Metz, Poole, Pfau and Sohl-Dickstein, ICLR 2017): G plays against the D that D is about to become.

f is the value of the game, which D raises, and eta its learning rate. With
:math:`f(\theta_G, \theta_D) = E[\log \sigma(D(x))] + E[\log(1 - \sigma(D(G(z))))]`,

.. math::

    \theta_D^0 &= \theta_D \\
    \theta_D^{k+1} &= \theta_D^k + \eta\,df(\theta_G, \theta_D^k) / d\theta_D^k \\
    f_K(\theta_G, \theta_D) &= f(\theta_G, \theta_D^K(\theta_G, \theta_D))

G lowers f_K, and its gradient runs through all K updates; D then takes an ordinary step on f. The K updates
are those of D's own optimiser, on the same data and the same z.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import Tensor
from typing_extensions import override

from allmodes import NonSaturating, Step

Objective: TypeAlias = Literal["non_saturating", "minimax"]


class Unrolled(NonSaturating):
    """The game of `NonSaturating`, whose generator meets the discriminator `updates` steps ahead."""

    def __init__(self, updates: int = 5, objective: Objective = "non_saturating") -> None:
        super().__init__()
        self.updates, self.objective = updates, objective

    @override
    def generator(self, step: Step) -> Tensor:
        # s(-D_K(y)), or f_K itself: then data count too, since D_K depends on G.
        ahead = step.after("discriminator", self.updates)
        return super().generator(ahead) if self.objective == "non_saturating" else -self.discriminator(ahead)
