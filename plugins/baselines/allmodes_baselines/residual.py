r"""A residual generator, which begins as the identity: G(z) = z + f(z) with f = 0 at first.

What is generated first is the latent itself, so that no region of a wide latent is without samples when training
begins: a start from coverage rather than from a point. f's last layer has zero weights and biases, as the networks of
Glow have (Kingma and Dhariwal, NeurIPS 2018, arXiv 1807.03039, section 3.3). Where z is larger than an item its first
entries are added, and only f sees the others.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import Around, Head, Network, Shape, Trunk
from allmodes_baselines.spectral_norm import LAYERS


class Beside(Trunk):
    """A trunk's features (B, F) beside the first n entries of its input: (B, F + n)."""

    def __init__(self, network: Network, n: int) -> None:
        super().__init__(network)
        self.n = n

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.cat([super().forward(*inputs), inputs[0][:, : self.n]], 1)


class Sum(Head):
    """A head's output for the first features plus the last ones, in the output's shape."""

    def __init__(self, network: Network, n: int) -> None:
        super().__init__(network)
        self.n = n

    @override
    def forward(self, features: Tensor) -> Tensor:
        output = super().forward(features[:, : -self.n])
        return output + features[:, -self.n :].reshape(output.shape)


def residual(network: Network, gives: Shape) -> Network:
    """z (B, dim) plus a network's output, 0 at first, in the shape of an item."""
    n, layers = prod(gives), [layer for layer in network.modules() if isinstance(layer, LAYERS)]
    for parameter in layers[-1].parameters():
        nn.init.zeros_(parameter)
    return Around(Beside(network, n), Sum(network, n), further=n)
