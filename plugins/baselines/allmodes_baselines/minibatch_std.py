r"""Minibatch standard deviation (Karras, Aila, Laine, Lehtinen; ICLR 2018; arXiv 1710.10196, section 3).

The discriminator is told how much the items of a batch differ, so that a collapsed batch gives itself away:

.. math:: s = \frac{1}{F} \sum_{j=1}^F \sqrt{\text{var}_i\, h_{ij} + 10^{-8}}

with h the features (B, F) of a batch, variances over the batch (divided by B). s joins the features of every item;
then come a hidden layer, which lets its meaning depend on the item, and the output. In the paper h are the last feature
maps, and the authors' code takes groups of four items; here s is that of the whole batch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import Around, Mlp, Network, Shape, Trunk


class WithSpread(Trunk):
    """A trunk's features with their spread over the batch as one more: (B, F + 1)."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        features = super().forward(*inputs)
        return torch.cat([features, spread(features).expand(len(features), 1)], 1)


def with_spread(network: Network, gives: Shape, hidden: int) -> Network:
    """A network that sees its batch's spread, with a new head."""
    network.head = nn.Identity()
    head = Mlp([(network.feature_dim + 1,)], gives, [hidden], "leaky_relu")
    return Around(WithSpread(network), head, further=1)


def spread(features: Tensor) -> Tensor:
    """The standard deviation () of an entry over a batch (B, F), a mean over entries."""
    features = features.to(torch.promote_types(features.dtype, torch.float32))  # 1e-8 is lost beside a bfloat16
    return (features.var(0, unbiased=False) + 1e-8).sqrt().mean()
