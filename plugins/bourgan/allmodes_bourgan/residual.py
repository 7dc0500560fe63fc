r"""A generator that moves the latent in local units: it begins as the identity on the latent's own items.

.. math:: G(e, \eta) = e + S(e)\, f(\text{chart}(e), \eta), \qquad f = 0 \text{ at first.}

What is generated first is the latent's code, so that every mode is there when the game begins, and one step of f moves
an item by as much in a narrow mode as, relative to it, in a wide one. S is that of an atlas.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import Around, Head, Network, Shape, Trunk
from allmodes_bourgan.atlas import Atlas

LAYERS = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


class Beside(Trunk):
    """The features (B, F) of a network that sees code and further noise, beside the code: (B, F + d)."""

    def __init__(self, network: Network, d: int) -> None:
        super().__init__(network)
        self.d = d

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        code, further = inputs[0].tensor_split((self.d,), dim=1)
        seen = (code, further) if further.shape[1] else (code,)
        return torch.cat([super().forward(*seen), code], 1)


class Moved(Head):
    """The code plus the network's output in local units, in the shape of an item."""

    def __init__(self, network: Network, d: int, atlas: Atlas) -> None:
        super().__init__(network)
        self.d, self.atlas = d, atlas

    @override
    def forward(self, features: Tensor) -> Tensor:
        inner, code = features.tensor_split((-self.d,), dim=1)
        output = super().forward(inner)
        w, _ = self.atlas.locate(self.atlas.standardise(code))
        return (code + self.atlas.stretch(w, output.flatten(1))).reshape(output.shape)


def residual(network: Network, gives: Shape, subsample: int) -> Network:
    """The generator around a network, whose last layer begins at zero, of items of a shape."""
    layers = [layer for layer in network.modules() if isinstance(layer, LAYERS)]
    for parameter in layers[-1].parameters():
        nn.init.zeros_(parameter)
    d = prod(gives)
    return Around(Beside(network, d), Moved(network, d, Atlas(subsample)), further=d)
