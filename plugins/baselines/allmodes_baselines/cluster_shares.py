"""The latent of the self-conditioned GAN: noise, and a cluster that is drawn as often as the data have it."""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import NOTHING, Given, Latent, Noise, Prior
from allmodes_baselines.modes import one_hot


class ClusterShares(Prior):
    """z = (noise, c), c by the weights (K,) that `Clusters` finds. Parts: `code` and `mode`, both c, and `noise`."""

    weights: Tensor

    def __init__(self, noise_dim: int = 2, modes: int = 50) -> None:
        super().__init__()
        self.dim, self.sizes = noise_dim + modes, {"code": modes, "noise": noise_dim, "mode": modes}
        self.register_buffer("weights", torch.full((modes,), 1 / modes))

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        # given["mode"] is a number from 0, or one for each draw
        eps = given.get("noise", noise.normal("noise", n, self.sizes["noise"]))
        drawn = (noise.uniform("mode", n)[:, None] >= self.weights.cumsum(0)[:-1]).sum(1)  # (n,)
        c = one_hot(noise, eps, len(self.weights), {"mode": given.get("mode", drawn)})  # (n, K)
        return Latent(torch.cat([eps, c], 1), {"code": c, "noise": eps, "mode": c})
