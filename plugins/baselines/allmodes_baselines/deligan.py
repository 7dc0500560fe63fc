r"""DeLiGAN (Gurumurthy, Sarvadevabhatla, Babu; CVPR 2017; arXiv 1706.02071).

The latent is a mixture of Gaussians that the generator's player learns along with G, by reparameterisation:

.. math:: z = \mu_i + \sigma_i \epsilon, \quad \epsilon \sim N(0, I), \quad i \text{ uniform over } 1, \dots, N,

and, since widths would shrink to nothing, the generator's objective is

.. math:: \min_{G, \mu, \sigma}\ V(D, G) + w\, \text{mean}\, (1 - \sigma)^2

with w the term's weight. The authors' code has as many components as a batch has items, each of them once in every
batch, and lets the generator's loss decide whose turn it is; here i is drawn, and turns are fixed.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import NOTHING, Given, Latent, Loss, LossTerm, Noise, Prior, Step
from allmodes_baselines.modes import one_hot


class MixtureOfGaussians(Prior):
    """mu (N, dim), uniform on [-1, 1) to begin with, and sigma (N, dim); parts: `code`, z itself, and `mode`, i."""

    def __init__(self, dim: int = 30, modes: int = 50, sigma: float = 0.2) -> None:
        super().__init__()
        self.dim, self.sizes = dim, {"code": dim, "mode": modes}
        self.register_buffer("weights", torch.full((modes,), 1 / modes), persistent=False)
        self.mu = nn.Parameter(2 * torch.rand(modes, dim) - 1)
        self.sigma = nn.Parameter(torch.full((modes, dim), sigma))

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        # given["mode"] is the number of the component from 0, or one for each draw
        eps = noise.normal("eps", n, self.dim)  # (n, dim)
        i = one_hot(noise, eps, len(self.mu), given)  # (n, N)
        z = i @ self.mu + i @ self.sigma * eps
        return Latent(z, {"code": z, "mode": i})


class Width(LossTerm):
    """mean (1 - sigma)^2, which keeps the components from shrinking."""

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.width}

    def width(self, step: Step) -> Tensor:
        """Averaged over components and entries."""
        return (1 - step.offer("sigma")).square().mean()
