"""The networks of the released code, layer by layer; a test holds their numbers of parameters.

Weights begin as Keras's do, BatchNorm has its epsilon, and convolutions are padded as there. All leaky ReLUs have slope
0.2. Images are in [-1, 1], so the generator's last sigmoid is stretched to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from typing_extensions import override

from allmodes import Dropout, Network, Shape

CHANNELS = (128, 64, 32, 16, 8, 4)
UPSAMPLED = {"late": (1, 4), "early": (0, 1)}
"""Convolutions, counted from 0, before which the side doubles."""
EPSILON = 1e-3
"""Epsilon of Keras's BatchNorm, a hundred times torch's."""


class StretchedSigmoid(nn.Module):
    """A sigmoid onto [-1, 1]."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x / 2)


class Generator(Network):
    """From z (B, dim) to images (B, C, S, S) in [-1, 1]; the trunk gives the smallest feature maps, flattened."""

    def __init__(self, dim: int, gives: Shape, upsampling: str = "late", dropout: float = 0.3) -> None:
        super().__init__()
        side = gives[1] // 4
        self.feature_dim = CHANNELS[0] * side**2
        self.trunk = nn.Sequential(*_dense(dim, 1024), *_dense(1024, self.feature_dim))
        layers: list[nn.Module] = [nn.Unflatten(1, (CHANNELS[0], side, side)), *_dropout(dropout)]
        for i, (wide, narrow) in enumerate(pairwise((*CHANNELS, gives[0]))):
            layers += [nn.Upsample(scale_factor=2)] if i in UPSAMPLED[upsampling] else []
            layers += [nn.ConvTranspose2d(wide, narrow, 5, padding=2)]
            last = i == len(CHANNELS) - 1
            layers += [StretchedSigmoid()] if last else [nn.BatchNorm2d(narrow, EPSILON), nn.LeakyReLU(0.2)]
        self.head = nn.Sequential(*layers)
        self.apply(glorot)


class Convolution(nn.Conv2d):
    """A 5x5 convolution of square feature maps to a `stride`-th of their side, rounded up.

    As Keras pads: two at both ends, but for a stride of 2 and an even side one at the beginning.
    """

    def __init__(self, narrow: int, wide: int, side: int, stride: int) -> None:
        super().__init__(narrow, wide, 5, stride)
        before = 1 if stride == 2 and side % 2 == 0 else 2
        self.margins = (before, 2, before, 2)

    @override
    def forward(self, x: Tensor) -> Tensor:
        # From (B, narrow, side, side) to (B, wide, side / stride, side / stride)
        return super().forward(pad(x, self.margins))


class Trunk(Network):
    """5x5 convolutions with leaky ReLU and dropout, then a linear map."""

    def __init__(
        self, sees: Shape, gives: Shape, channels: Sequence[int], strides: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        side = sees[1]
        for (narrow, wide), stride in zip(pairwise((sees[0], *channels)), strides, strict=True):
            layers += [Convolution(narrow, wide, side, stride), nn.LeakyReLU(0.2), *_dropout(dropout)]
            side = -(-side // stride)
        self.feature_dim = channels[-1] * side**2
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(self.feature_dim, gives[0])
        self.apply(glorot)


def critic(sees: Shape, gives: Shape, dropout: float = 0.4) -> Trunk:
    """Build the critic, D."""
    return Trunk(sees, gives, (64, 128, 256, 512), (2, 2, 2, 1), dropout)


def encoder(sees: Shape, gives: Shape, dropout: float = 0.4) -> Trunk:
    """Build the body of the inverter, h."""
    return Trunk(sees, gives, (32, 64, 128, 256, 512), (2,) * 5, dropout)


def glorot(module: nn.Module) -> None:
    """Keras's initial weights: Glorot-uniform, with zero biases."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _dense(sees: int, gives: int) -> list[nn.Module]:
    return [nn.Linear(sees, gives), nn.BatchNorm1d(gives, EPSILON), nn.LeakyReLU(0.2)]


def _dropout(p: float) -> list[nn.Module]:
    return [Dropout(p)] if p else []
