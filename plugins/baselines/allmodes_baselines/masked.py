"""A discriminator with an output for each class, of which that of the class is its score (self-conditioned GAN)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import Network


class Masked(Network):
    """D(x, c) = sum_k c_k (w_k phi(x) + b_k): from items and codes (B, K) to (B, 1); features: phi(x) beside c.

    Packed, c holds the codes of all packed items, and the score is the sum of theirs.
    """

    def __init__(self, body: Network, classes: int) -> None:
        super().__init__()
        self.trunk, self.head = Beside(body.trunk), _Mask(body.feature_dim, classes)
        self.feature_dim = body.feature_dim + classes


class Beside(nn.Module):
    """phi(x) and the code, side by side."""

    def __init__(self, phi: nn.Module) -> None:
        super().__init__()
        self.phi = phi

    @override
    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        return torch.cat([self.phi(x), code], 1)


class _Mask(nn.Module):
    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        self.size, self.linear = size, nn.Linear(size, classes)

    @override
    def forward(self, features: Tensor) -> Tensor:
        phi, code = features[:, : self.size], features[:, self.size :]
        outputs: Tensor = self.linear(phi)
        return (code * outputs).sum(1, keepdim=True)


def phi_of(discriminator: nn.Module) -> nn.Module:
    """The trunk phi within a discriminator."""
    return next(inner.phi for inner in discriminator.modules() if isinstance(inner, Beside))
