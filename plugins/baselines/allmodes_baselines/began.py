r"""BEGAN (Berthelot, Schumm, Metz, 2017; arXiv 1703.10717): D is an autoencoder, and what it cannot rebuild is fake.

With :math:`L(v) = |v - D(v)|` averaged over the entries of an item, :math:`y = G(z)`, :math:`k_0 = 0` and a rate
:math:`\lambda_k`,

.. math::
    \min_D\ E_x L(x) - k_t E_z L(y), \qquad \min_G\ E_z L(y), \qquad
    k_{t+1} = \text{clip}_{[0, 1]}(k_t + \lambda_k (\gamma E_x L(x) - E_z L(y))).

:math:`\gamma`, the ratio of the two losses that k holds up, trades diversity (1) for quality (towards 0). The score of
an `Autoencoder` is -L, so that data have large scores, and any other game and sampler works with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import Game, Network, Step


class Autoencoder(Network):
    """Features: what is left of the inputs v - D(v), side by side as vectors (B, sum of sizes); output: -L (B, 1)."""

    def __init__(self, encoder: Network, decoders: Sequence[Network], size: int, eta: float = 1.0) -> None:
        super().__init__()
        self.trunk, self.head, self.feature_dim = _Rest(encoder, decoders), _Fidelity(eta), size


class _Rest(nn.Module):
    def __init__(self, encoder: Network, decoders: Sequence[Network]) -> None:
        super().__init__()
        self.encoder, self.decoders = encoder, nn.ModuleList(decoders)

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        # one decoder for each input, all from one code
        code = self.encoder(*inputs)
        rests = [(v - decoder(code)).flatten(1) for v, decoder in zip(inputs, self.decoders, strict=True)]
        return torch.cat(rests, 1) if len(rests) > 1 else rests[0]


class _Fidelity(nn.Module):
    def __init__(self, eta: float) -> None:
        super().__init__()
        self.eta = eta

    @override
    def forward(self, rest: Tensor) -> Tensor:
        distances = rest.abs() if self.eta == 1 else rest.abs() ** self.eta
        return -distances.mean(1, keepdim=True)


class Began(Game):
    """L = -score; k is moved after each update of the discriminator, by the losses that it was computed from."""

    k: Tensor

    def __init__(self, gamma: float = 0.5, rate: float = 1e-3) -> None:
        super().__init__()
        self.gamma, self.rate, self.follows = gamma, rate, ("discriminator",)
        self.register_buffer("k", torch.zeros(()))

    @override
    def discriminator(self, step: Step) -> Tensor:
        return -step.score("real").mean() + self.k * step.score("fake").mean()

    @override
    def generator(self, step: Step) -> Tensor:
        return -step.score("fake").mean()

    @override
    def after_update(self, step: Step) -> None:
        balance = step.score("fake").mean() - self.gamma * step.score("real").mean()  # gamma L(x) - L(y)
        self.k.copy_((self.k + self.rate * balance).clamp(0, 1))
