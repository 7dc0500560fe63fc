r"""VEEGAN (Srivastava, Valkov, Russell, Gutmann, Sutton; NIPS 2017; arXiv 1705.07761).

Generator :math:`G_\gamma`, reconstructor :math:`F_\theta` and discriminator :math:`D_\omega(z, x)` on pairs.
The ideal objective

.. math:: O_\text{entropy} = E\|z - F_\theta(G_\gamma(z))\|_2^2 + H(Z, F_\theta(X))

is bounded by

.. math:: O = KL[q_\gamma(x|z) p_0(z) \,\|\, p_\theta(z|x) p(x)] - E[\log p_0(z)] + E[d(z, F_\theta(x))].

Algorithm 1, on one draw of :math:`z, x_g = G(z), x, z_g \sim p_\theta(z|x)`, steps all three networks at once on

.. math::
    \min_\omega\ & -\log \sigma(D(z, x_g)) - \log(1 - \sigma(D(z_g, x)))   && \text{label 1 is generated} \\
    \min_\gamma\ & D(z, x_g) + d(z, F(x_g))                                && \text{the raw logit} \\
    \min_\theta\ & d(z, F(x_g))                                            && \text{nothing else reaches } \theta

with, as in the authors' notebook, :math:`d = -\log N(z; F(x_g), I)` up to its constant and
:math:`p_\theta(z|x) = N(F(x), I)`. The generator's further noise input (the prior's nuisance part) is the only
randomness of :math:`q_\gamma(x|z)`; it is neither reconstructed nor shown to D.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor
from torch.nn.functional import softplus
from typing_extensions import override

from allmodes import Auxiliary, Gaussian, Loss, LossTerm, Network, Noise, Step


class Reconstructor(Auxiliary):
    """F: data (B, *shape) to the mean of the code (B, K)."""

    def __init__(self, network: Network, code_noise: float = 1.0) -> None:
        super().__init__()
        self.network, self.code_noise = network, code_noise

    @override
    def forward(self, seen: Tensor) -> Tensor:
        mean: Tensor = self.network(seen)
        return mean  # (B, K)

    @override
    def code(self, output: Tensor, noise: Noise) -> Tensor:
        # z_g ~ N(F(x), code_noise^2 I), which only the discriminator sees: (B, K)
        if not self.code_noise:
            return output
        drawn = noise.normal("z_g", *output.shape)  # (B, K)
        return output + (drawn if self.code_noise == 1.0 else self.code_noise * drawn)

    @override
    def estimate(self, output: Tensor) -> Tensor | Gaussian:
        # p(z|x), of which F(x) is the mean
        if not self.code_noise:
            return output
        return Gaussian(output, output.new_full((), 2 * math.log(self.code_noise)).expand_as(output))  # (B, K) each


class Game(LossTerm):
    """D distinguishes (z, x_g), label 1, from (z_g, x), label 0; G lowers D's raw logit."""

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"discriminator": self.discriminator, "generator": self.generator}

    def discriminator(self, step: Step) -> Tensor:
        """-log sigma(D(z, x_g)) - log(1 - sigma(D(z_g, x)))."""
        return softplus(-step.score("fake")).mean() + softplus(step.score("real")).mean()

    def generator(self, step: Step) -> Tensor:
        """D(z, x_g). theta, although in this player, does not occur in it."""
        return step.score("fake").mean()


class CodeReconstruction(LossTerm):
    """d(z, F(x_g)) = ||z - F(x_g)||^2 / 2, which reaches F and, through F, the generator.

    In the paper z comes from a fixed distribution: it is what F should find, and does not come to meet F. A prior that
    is learned is therefore reached through G(z) alone.
    """

    def __init__(self, auxiliary: str = "reconstructor", player: str = "generator") -> None:
        super().__init__()
        self.auxiliary, self.player = auxiliary, player

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {self.player: self.reconstruction}

    def reconstruction(self, step: Step) -> Tensor:
        """Summed over the code, averaged over the batch."""
        z = step.latent.code.detach()  # (B, K)
        z_hat: Tensor = step.estimate(self.auxiliary, "fake", "point")  # (B, K)
        return 0.5 * (z - z_hat).square().sum(1).mean()
