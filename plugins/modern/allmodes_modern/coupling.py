r"""Learning from coupled latents and items (ours, from known parts): likelihood in the place of a game.

Of a block of latents and as many items, each latent gets the item that an optimal transport moves it to (as do
Pooladian et al., 2023, and Tong et al., 2024, for flows): latents side by side have items side by side. It maximises

.. math:: E_{(z, x) \sim \pi} \log p(x | z) / d, \qquad
    \pi = \text{argmin} \sum_i \|z_i - (x_i - m) / s\|^2 \text{ within each block},

with m and s the mean and standard deviation of each of the d axes. Blocks are assigned on the host.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Fitting, Loss, LossTerm, Step, training_items
from allmodes_modern.starts import axes

PAIRS = 8192
"""Pairs that are held at a time."""


def couple(z: Tensor, x: Tensor, block: int) -> Tensor:
    """For each code (n, d) the place (n,) of its item (n, d), such that a block's squared distances sum up to least."""
    from scipy.optimize import linear_sum_assignment

    blocks = zip(torch.split(z, block), torch.split(x, block), strict=True)
    places = [linear_sum_assignment(torch.cdist(a, b).square().numpy())[1] for a, b in blocks]
    return torch.cat([block * i + torch.from_numpy(place) for i, place in enumerate(places)])


class Coupling(LossTerm):
    """The likelihood of pairs: latents (n, dim) with items (n, *shape), coupled anew every so many iterations."""

    latents: Tensor
    items: Tensor

    def __init__(self, block: int, refit: int) -> None:
        super().__init__()
        self.block, self.refit = block, refit
        self.register_buffer("latents", torch.zeros(0))
        self.register_buffer("items", torch.zeros(0))

    @override
    def fit(self, fitting: Fitting) -> None:
        prior, generator = fitting.prior, fitting.noise.generator
        assert prior is not None
        assert generator is not None
        x = training_items(fitting.data, PAIRS, generator).x
        latent = prior(fitting.noise.at("latents"), len(x))
        mean, std = axes(flat := x.cpu().flatten(1))
        order = couple(latent.code.cpu(), (flat - mean) / std, self.block)
        if not fitting.iteration:
            self.latents, self.items = torch.empty_like(latent.z), torch.empty_like(x)
        self.latents.copy_(latent.z)
        self.items.copy_(x[order.to(x.device)])

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.surprise}

    def surprise(self, step: Step) -> Tensor:
        """The mean over pairs of -log p(x | z) / d."""
        n = len(self.items)
        k = (step.noise.at("modern.coupling").uniform("pair", step.n) * n).long().clamp(max=n - 1)
        likelihood: Tensor = step.call("generator", self.latents[k], self.items[k], method="log_likelihood")
        return -likelihood.mean() / self.items[0].numel()
