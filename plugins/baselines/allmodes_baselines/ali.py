r"""ALI (Dumoulin et al., ICLR 2017) and BiGAN (Donahue, Kraehenbuehl and Darrell, ICLR 2017): D judges pairs.

An encoder E goes the other way than the generator G. D tells pairs :math:`(x, \hat z)` of data and what E makes of
them from pairs :math:`(G(z), z)`; G and E together make them alike:

.. math::

    \min_D\ & E[s(-D(x, \hat z))] + E[s(D(G(z), z))] \\
    \min_{G, E}\ & E[s(D(x, \hat z))] + E[s(-D(G(z), z))]

with s the softplus and D a logit. In ALI :math:`\hat z = \mu(x) + \sigma(x)\,\epsilon` with
:math:`\epsilon \sim N(0, I)`; in BiGAN :math:`\hat z = E(x)`. The first term of G and E reaches E alone, through
the code, the second G alone.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus
from typing_extensions import override

from allmodes import Auxiliary, Game, Gaussian, Network, Noise, Step


class Encoder(Auxiliary):
    """BiGAN's E: data (B, *shape) to the code (B, K)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    @override
    def forward(self, seen: Tensor) -> Tensor | Gaussian:
        code: Tensor = self.network(seen)
        return code  # (B, K)


class GaussianEncoder(Encoder):
    """ALI's E: data (B, *shape) to a normal distribution of the code, of which D sees a draw."""

    @override
    def forward(self, seen: Tensor) -> Gaussian:
        # (B, 2K): mean and log variance side by side
        return Gaussian(*self.network(seen).chunk(2, 1))  # (B, 2K) to two of (B, K)

    @override
    def code(self, output: Gaussian, noise: Noise) -> Tensor:
        # z_hat = mu(x) + sigma(x) epsilon: (B, K)
        return output.mean + (0.5 * output.log_variance).exp() * noise.normal("epsilon", *output.mean.shape)


class Ali(Game):
    """D distinguishes (x, z_hat) from (G(z), z), and G and E make them alike."""

    @override
    def discriminator(self, step: Step) -> Tensor:
        # s(-D(x, z_hat)) + s(D(G(z), z))
        return softplus(-step.score("real")).mean() + softplus(step.score("fake")).mean()

    @override
    def generator(self, step: Step) -> Tensor:
        # The same with the labels exchanged, which does not saturate.
        return softplus(step.score("real")).mean() + softplus(-step.score("fake")).mean()
