r"""ClusterGAN (Mukherjee, Asnani, Lin, Kannan; AAAI 2019; arXiv 1809.03627).

The latent is :math:`z = (z_n, z_c)` with :math:`z_n \sim N(0, 0.1^2 I)` and :math:`z_c` a unit vector for the cluster.
An encoder :math:`E(x) = (E_n(x), E_c(x))` is trained with the generator to invert it,

.. math::
    \min_{G, E} \max_D\ E_x D(x) - E_z D(G(z))
        + \beta_n E_z \|z_n - E_n(G(z))\|_2^2 + \beta_c E_z\, H(z_c, E_c(G(z)))

under WGAN-GP's penalty on D, with H the cross entropy. Items are clustered by E. As in the authors' code the square is
a mean over entries, not their sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import NOTHING, Auxiliary, Given, Latent, Loss, LossTerm, Network, Noise, Prior, Step
from allmodes_baselines.modes import one_hot


class ClusterLatent(Prior):
    """z = (z_n, z_c). Parts: `code` is z itself, `noise` z_n (n, noise_dim), `mode` z_c (n, modes)."""

    def __init__(self, noise_dim: int = 30, modes: int = 10, std: float = 0.1) -> None:
        super().__init__()
        self.dim, self.std = noise_dim + modes, std
        self.sizes = {"code": self.dim, "noise": noise_dim, "mode": modes}
        self.register_buffer("weights", torch.full((modes,), 1 / modes), persistent=False)

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        # given["mode"] is a number from 0, or one for each draw; given["noise"] is z_n itself
        drawn = self.std * noise.normal("noise", n, self.sizes["noise"])
        z_n = given.get("noise", drawn)  # (n, noise_dim)
        z_c = one_hot(noise, drawn, self.sizes["mode"], given)  # (n, modes)
        z = torch.cat([z_n, z_c], 1)
        return Latent(z, {"code": z, "noise": z_n, "mode": z_c})


class Encoded(NamedTuple):
    """E's estimates: `z_n` (B, noise_dim), `y` (B, modes), the logits of z_c, and `z` (B, dim), z_n and softmax(y)."""

    z_n: Tensor
    y: Tensor
    z: Tensor


class ClusterEncoder(Auxiliary):
    """E, from data (B, *shape)."""

    def __init__(self, network: Network, noise_dim: int) -> None:
        super().__init__()
        self.network, self.noise_dim = network, noise_dim

    @override
    def forward(self, seen: Tensor) -> Encoded:
        output: Tensor = self.network(seen)  # (B, noise_dim + modes)
        z_n, y = output[:, : self.noise_dim], output[:, self.noise_dim :]
        return Encoded(z_n, y, torch.cat([z_n, y.softmax(1)], 1))

    @override
    def code(self, output: Encoded, noise: Noise) -> Tensor:
        # z, the category as probabilities
        return output.z

    @override
    def estimate(self, output: Encoded) -> Tensor:
        return output.y  # (B, modes)


class ClusterInversion(LossTerm):
    """beta_n ||z_n - E_n(G(z))||^2 + beta_c H(z_c, E_c(G(z))); z_n and z_c are targets without a gradient."""

    def __init__(self, auxiliary: str = "encoder", beta_n: float = 10.0, beta_c: float = 10.0) -> None:
        super().__init__()
        self.auxiliary, self.beta_n, self.beta_c = auxiliary, beta_n, beta_c

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.inversion}

    def inversion(self, step: Step) -> Tensor:
        """Averaged over the batch, and over the entries of z_n."""
        encoded: Encoded = step.auxiliary(self.auxiliary, "fake")
        z_n, z_c = step.latent.part("noise").detach(), step.latent.part("mode").detach()
        noise = (z_n - encoded.z_n).square().mean()
        cross_entropy = -(z_c * encoded.y.log_softmax(1)).sum(1).mean()
        return self.beta_n * noise + self.beta_c * cross_entropy
