r"""A generator that moves the latent by a few local scales: it begins as the identity on the latent's own items.

.. math:: G(e, s, \eta) = e + s \odot f(e, \eta), \qquad f = 0 \text{ at first.}

What is generated first is the latent's code, so that every mode is there when the game begins, and one step of f moves
an item by as much in a narrow mode as, relative to it, in a wide one.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import Around, Head, Network, Shape, Trunk

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


class Beside(Trunk):
    """The features (B, F) of a network that sees code and further noise, beside code and scale: (B, F + 2d)."""

    def __init__(self, network: Network, d: int) -> None:
        super().__init__(network)
        self.d = d

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        code, further = inputs[0][:, : self.d], inputs[0][:, 2 * self.d :]
        seen = (code, further) if further.shape[1] else (code,)
        return torch.cat([super().forward(*seen), inputs[0][:, : 2 * self.d]], 1)


class Moved(Head):
    """The code plus scale times the network's output, in the shape of an item."""

    def __init__(self, network: Network, d: int) -> None:
        super().__init__(network)
        self.d = d

    @override
    def forward(self, features: Tensor) -> Tensor:
        inner, code, scale = features.tensor_split((-2 * self.d, -self.d), dim=1)
        output = super().forward(inner)
        return output * scale.reshape(output.shape) + code.reshape(output.shape)


def residual(network: Network, gives: Shape) -> Network:
    """The generator around a network, whose last layer begins at zero, of items of a shape."""
    layers = [layer for layer in network.modules() if isinstance(layer, LAYERS)]
    for parameter in layers[-1].parameters():
        nn.init.zeros_(parameter)
    d = prod(gives)
    return Around(Beside(network, d), Moved(network, d), further=2 * d)
