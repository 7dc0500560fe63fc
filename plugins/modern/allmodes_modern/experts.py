"""The experts of a generator that jumps: normal distributions, of which the latent chooses one (see `switch`)."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import Head, Network, Shape


class Experts(Head):
    """From features and noise (B, F + 1 + d) to the item of the expert that is chosen.

    Attributes:
        log_scales: Logarithms of the experts' widths over those of their surroundings (M,), which are learned.
        centres: Items that the experts begin at (M, d), in units of the axes.
        widths: Widths of their surroundings (M,).
        mean, std: The data's axes (d,).
    """

    centres: Tensor
    widths: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, network: Network, m: int, gives: Shape) -> None:
        super().__init__(network)
        self.gives, d = gives, prod(gives)
        self.log_scales = nn.Parameter(torch.zeros(m))
        for name, shape in {"centres": (m, d), "widths": (m,), "mean": (d,), "std": (d,)}.items():
            self.register_buffer(name, torch.ones(shape))

    def mixture(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logarithms of shares (B, M), means (B, M, d) and widths (M,)."""
        choice, moved = super().forward(features).tensor_split((len(self.widths),), dim=1)
        means = self.centres + self.widths[:, None] * moved.reshape(-1, *self.centres.shape)
        return choice.log_softmax(1), means, self.widths * self.log_scales.exp()

    @override
    def forward(self, features: Tensor) -> Tensor:
        inner, eta, epsilon = features.tensor_split((-1 - len(self.mean), -len(self.mean)), dim=1)
        shares, means, widths = self.mixture(inner)
        k = (shares.exp().cumsum(1) < torch.special.ndtr(eta)).sum(1, keepdim=True).clamp(max=len(widths) - 1)
        mean = means.take_along_dim(k[:, :, None], 1)[:, 0]
        return ((mean + widths[k] * epsilon) * self.std + self.mean).reshape(-1, *self.gives)
