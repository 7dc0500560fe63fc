r"""One network for every channel of an image (after Siamese networks: Bromley et al., NIPS 1993).

Where channels are images of one kind, as the three digits of Stacked MNIST are, weights need not be learnt for each
channel anew. With h the network inside and J a perceptron that sees all channels at once,

.. math:: D(x) = J(l(h(x_1)), \dots, l(h(x_C))), \qquad G(z) = (h(c_1), \dots, h(c_C)), \quad (c_1, \dots, c_C) = J(z)

with l the leaky ReLU of slope 0.2.

Nothing says that channels are independent: J has to find out how they depend on each other.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from typing_extensions import override

from allmodes import Around, Network, Shape, Trunk


class EachChannel(Trunk):
    """The codes h(x_i) of an image's channels side by side, beside any vector, and then J's trunk: (B, F)."""

    def __init__(self, network: Network, joint: Network) -> None:
        super().__init__(network)
        self.joint = joint.trunk

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        # From (B, C, S, S), and perhaps (B, K)
        image, *vectors = inputs
        codes = leaky_relu(self.network(image.flatten(0, 1)[:, None]), 0.2)  # (B C, code)
        features: Tensor = self.joint(torch.cat([codes.reshape(len(image), -1), *vectors], 1))
        return features


class EachCode(nn.Module):
    """A channel h(c_i) for each code of all that J gives: (B, C code) to (B, C, S, S)."""

    def __init__(self, network: Network, channels: int) -> None:
        super().__init__()
        self.network, self.channels = network, channels

    @override
    def forward(self, codes: Tensor) -> Tensor:
        images: Tensor = self.network(codes.reshape(len(codes) * self.channels, -1))  # (B C, 1, S, S)
        return images.reshape(len(codes), self.channels, *images.shape[2:])


class Decoder(Network):
    """G: J, then h for each channel."""

    def __init__(self, joint: Network, network: Network, gives: Shape) -> None:
        super().__init__()
        self.trunk, self.head = joint.trunk, nn.Sequential(joint.head, EachCode(network, gives[0]))
        self.feature_dim = joint.feature_dim


def encoder(network: Network, joint: Network) -> Network:
    """D: h for each channel, then J."""
    around = Around(EachChannel(network, joint), joint.head)
    around.feature_dim = joint.feature_dim
    return around
