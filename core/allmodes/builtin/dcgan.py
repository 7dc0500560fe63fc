"""The networks of DCGAN (Radford et al., 2016): a vector to an image, and an image (and a vector) to a vector."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes.builtin.networks import OUTPUTS
from allmodes.game.contracts import Dropout, Network
from allmodes_schemas import Shape

SMALLEST = 4
"""Largest side of the smallest feature maps, in px: the image is halved until it is reached."""
WIDEST = 8
"""Channels double at each halving of the image, but not beyond this many times the base."""


class DcganGenerator(Network):
    """Vector (B, Z) to image (B, C, S, S): a projection to the smallest feature maps, then transposed convolutions.

    ReLU inside; BatchNorm except at the last layer. The trunk gives the projection (B, feature_dim).

    Args:
        sees: Shape of the vector, (Z,).
        gives: Shape of the image, (C, S, S), S from 8 to 128 px.
        channels: Channels of the feature maps before the image; deeper ones double, up to eightfold.
        kernel: Side of the kernels, 4 or 5 px.
        batch_norm: Whether feature maps are normalised over the batch.
        output: Nonlinearity of the image: `tanh`, `linear` or `sigmoid`.
        dropout: Probability that a hidden unit is dropped in training.
    """

    def __init__(
        self,
        sees: Shape,
        gives: Shape,
        channels: int = 64,
        kernel: int = 4,
        batch_norm: bool = True,
        output: str = "tanh",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        sizes = sizes_of(gives[-1])[::-1]  # growing, 28 px: 4, 7, 14, 28
        widths = [*widths_of(channels, len(sizes) - 1)[::-1], gives[0]]
        smallest = (widths[0], sizes[0], sizes[0])
        self.feature_dim = prod(smallest)
        self.trunk = nn.Linear(sees[0], self.feature_dim, bias=not batch_norm)
        layers: list[nn.Module] = []
        for i, (width, narrower) in enumerate(pairwise(widths)):
            last = i == len(widths) - 2
            layers += [*_norm(width, batch_norm), nn.ReLU(), *_dropout(dropout)]
            layers += [upwards(width, narrower, sizes[i + 1], kernel, bias=last or not batch_norm)]
        self.head = nn.Sequential(nn.Unflatten(1, smallest), *layers, OUTPUTS[output]())
        self.apply(dcgan_initial)


class DcganEncoder(Network):
    """Image (B, C, S, S), perhaps beside a vector (B, K), to a vector: strided convolutions, then a linear head.

    LeakyReLU with slope 0.2 inside; BatchNorm except at the first layer. The trunk gives the flattened feature maps;
    where there is a vector, one hidden layer on both (a joint discriminator in the manner of ALI).

    Args:
        sees: Shape of the image, (C, S, S) with S from 8 to 128 px; then perhaps that of the vector, (K,).
        gives: Shape of the output, (N,); (1,) for a discriminator's score.
        channels: Channels of the first feature maps; deeper ones double, up to eightfold.
        kernel: Side of the kernels, 4 or 5 px.
        batch_norm: Whether feature maps are normalised over the batch.
        joint_hidden: Units of the hidden layer that joins feature maps and vector.
        dropout: Probability that a hidden unit is dropped in training.
    """

    def __init__(
        self,
        sees: Sequence[Shape],
        gives: Shape,
        channels: int = 64,
        kernel: int = 4,
        batch_norm: bool = True,
        joint_hidden: int = 256,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        image, *vectors = sees
        maps = convolutions(image, channels, kernel, batch_norm, dropout)
        sizes = sizes_of(image[-1])
        flat = widths_of(channels, len(sizes) - 1)[-1] * sizes[-1] ** 2
        self.feature_dim = joint_hidden if vectors else flat
        self.trunk: nn.Module = maps
        if vectors:
            hidden = nn.Linear(flat + vectors[0][0], joint_hidden)
            self.trunk = _Joint(maps, hidden, nn.LeakyReLU(0.2), *_dropout(dropout))
        self.head = nn.Linear(self.feature_dim, gives[0])
        self.apply(dcgan_initial)


class _Joint(nn.Module):
    """An image's flattened feature maps beside a vector, then layers on both."""

    def __init__(self, maps: nn.Module, *layers: nn.Module) -> None:
        super().__init__()
        self.maps, self.layers = maps, nn.Sequential(*layers)

    @override
    def forward(self, image: Tensor, vector: Tensor) -> Tensor:
        # From (B, C, S, S) and (B, K) to (B, joint_hidden)
        joined: Tensor = self.layers(torch.cat([self.maps(image), vector], 1))
        return joined


def convolutions(image: Shape, channels: int, kernel: int, batch_norm: bool, dropout: float) -> nn.Sequential:
    """From images (B, C, S, S) to the flattened smallest feature maps; the first layer has no BatchNorm."""
    sizes = sizes_of(image[-1])  # shrinking, 28 px: 28, 14, 7, 4
    widths = [image[0], *widths_of(channels, len(sizes) - 1)]
    layers: list[nn.Module] = []
    for i, (width, wider) in enumerate(pairwise(widths)):
        normed = batch_norm and i > 0
        layers += [downwards(width, wider, sizes[i], kernel, bias=not normed)]
        layers += [*_norm(wider, normed), nn.LeakyReLU(0.2), *_dropout(dropout)]
    return nn.Sequential(*layers, nn.Flatten())


def sizes_of(size: int) -> list[int]:
    """Sides of the feature maps in px: from the image's, halved (rounding up) until there are 4 px or less."""
    sizes = [size]
    while sizes[-1] > SMALLEST:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def widths_of(channels: int, halvings: int) -> list[int]:
    """Channels after each halving."""
    return [channels * min(2**i, WIDEST) for i in range(halvings)]


def padding(size: int, kernel: int) -> int:
    """Padding with which a stride of 2 takes `size` px to half of that, rounded up, for kernels of 4 or 5 px."""
    return (kernel - 1 + size % 2) // 2


def downwards(sees: int, gives: int, size: int, kernel: int, bias: bool = True) -> nn.Conv2d:
    """Convolution of maps of `size` px to maps of half that, rounded up."""
    return nn.Conv2d(sees, gives, kernel, stride=2, padding=padding(size, kernel), bias=bias)


def upwards(sees: int, gives: int, size: int, kernel: int, bias: bool = True) -> nn.ConvTranspose2d:
    """The transpose of `downwards`: maps of half of `size` px, rounded up, to exactly `size` px, even or odd."""
    pad = padding(size, kernel)
    beyond = size - ((size + 1) // 2 - 1) * 2 + 2 * pad - kernel  # rows that the stride leaves out
    return nn.ConvTranspose2d(sees, gives, kernel, stride=2, padding=pad, output_padding=beyond, bias=bias)


def dcgan_initial(module: nn.Module) -> None:
    """N(0, 0.02) weights, N(1, 0.02) BatchNorm scales, zero biases (standard deviations; Radford et al., 2016)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _norm(channels: int, wanted: bool) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels)] if wanted else []


def _dropout(p: float) -> list[nn.Module]:
    return [Dropout(p)] if p else []
