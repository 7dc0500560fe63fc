r"""A generator that jumps (ours): a Gaussian latent chooses one of M experts, which leaves no bridges between modes.

.. math::

    G(z, \eta, \epsilon) &= \mu_k(z) + \sigma_k \epsilon, \qquad
        k = \min\{k : \textstyle\sum_{j \le k} w_j(z) \ge \Phi(\eta)\}, \qquad w = \text{softmax}(a(z)) \\
    p(x | z) &= \textstyle\sum_k w_k(z)\, N(x; \mu_k(z), \sigma_k^2 I)

G draws from p, since :math:`\Phi(\eta)` of a normal is uniform. p, a mixture density network (Bishop, 1994), learns
from pairs of latents and items (`coupling`). :math:`\mu_k = c_k + s_k f_k(z)` begins near an item c_k, and s_k is the
width of its surroundings. All is in units of the data's axes.
"""

from __future__ import annotations

from math import log, pi, prod

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Around, Fitting, Network, Shape, Trunk
from allmodes_modern.experts import Experts
from allmodes_modern.starts import start


class Beside(Trunk):
    """The features of a network that sees the code, beside the latent's last 1 + d entries."""

    def __init__(self, network: Network, d: int) -> None:
        super().__init__(network)
        self.noise = 1 + d

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        code, noise = inputs[0][:, : -self.noise], inputs[0][:, -self.noise :]
        return torch.cat((super().forward(code), noise), 1)


class Switch(Around):
    """The generator around a network from the code to M + M d numbers."""

    trunk: Beside
    head: Experts

    def __init__(self, network: Network, m: int, gives: Shape) -> None:
        super().__init__(Beside(network, prod(gives)), Experts(network, m, gives), further=1 + prod(gives))

    @override
    def fit(self, fitting: Fitting) -> None:
        super().fit(fitting)
        for buffer, found in zip(self.head.buffers(), start(len(self.head.widths), fitting), strict=True):
            buffer.copy_(found)

    def log_likelihood(self, z: Tensor, x: Tensor) -> Tensor:
        """log p(x | z) (B,) of items (B, *shape), in units of the axes; the noise in z has no part in it."""
        shares, means, widths = self.head.mixture(self.trunk(z)[:, : -self.trunk.noise])
        apart = ((x.flatten(1) - self.head.mean) / self.head.std)[:, None] - means
        logs = shares - (apart / widths[:, None]).square().sum(2) / 2 - apart.shape[2] * widths.log()
        total: Tensor = logs.logsumexp(1) - apart.shape[2] * log(2 * pi) / 2
        return total
