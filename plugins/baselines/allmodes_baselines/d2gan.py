r"""D2GAN (Nguyen, Le, Vu, Phung; NIPS 2017; arXiv 1709.03831): a discriminator for each direction of the KL divergence.

:math:`D_1 > 0` is large for data, :math:`D_2 > 0` for generated data:

.. math::
    \min_G \max_{D_1, D_2}\ \alpha E_x \log D_1(x) - E_z D_1(G(z)) - E_x D_2(x) + \beta E_z \log D_2(G(z))

At the best discriminators, G lowers :math:`\alpha\,KL(p \| p_G) + \beta\,KL(p_G \| p)`, of which the first costs modes
that are missed and the second items that are none. As in the authors' code both are a softplus of a network's output.

Both are one network of the spec, `Twins`, so that they are joint, packed and wrapped alike: the score is that of
:math:`D_1`, and the last of the features is that of :math:`D_2`, each before its softplus.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from typing_extensions import override

from allmodes import Game, Network, Step


class Twins(Network):
    """Two networks that see the same: features (B, F + 1), those of the first and the output of the second."""

    def __init__(self, first: Network, second: Network) -> None:
        super().__init__()
        self.trunk, self.head = _Beside(first.trunk, second), _Without(first.head)
        self.feature_dim = first.feature_dim + 1


class _Beside(nn.Module):
    def __init__(self, trunk: nn.Module, second: Network) -> None:
        super().__init__()
        self.trunk, self.second = trunk, second

    @override
    def forward(self, *seen: Tensor) -> Tensor:
        return torch.cat([self.trunk(*seen), self.second(*seen)], 1)


class _Without(nn.Module):
    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    @override
    def forward(self, features: Tensor) -> Tensor:
        return self.head(features[:, :-1])  # type: ignore[no-any-return]


class D2gan(Game):
    """D: -alpha log D1(x) + D1(y) + D2(x) - beta log D2(y); G: -D1(y) + beta log D2(y)."""

    def __init__(self, alpha: float = 1.0, beta: float = 1.0) -> None:
        super().__init__()
        self.alpha, self.beta = alpha, beta

    @override
    def discriminator(self, step: Step) -> Tensor:
        (real_1, real_2), (fake_1, fake_2) = outputs(step, "real"), outputs(step, "fake")
        first = softplus(fake_1).mean() - self.alpha * log_softplus(real_1).mean()
        return first + softplus(real_2).mean() - self.beta * log_softplus(fake_2).mean()

    @override
    def generator(self, step: Step) -> Tensor:
        fake_1, fake_2 = outputs(step, "fake")
        return self.beta * log_softplus(fake_2).mean() - softplus(fake_1).mean()


def outputs(step: Step, side: str) -> tuple[Tensor, Tensor]:
    """D1 and D2 before their softplus, both (B/pack,)."""
    return step.score(side), step.features(side)[:, -1]


def log_softplus(output: Tensor) -> Tensor:
    """log D; far below zero it is the output itself, of which a float's softplus would be 0."""
    return torch.where(output < -20, output, softplus(output.clamp_min(-20)).log())
