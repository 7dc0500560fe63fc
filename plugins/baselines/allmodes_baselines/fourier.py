r"""Random Fourier features (Tancik et al., NeurIPS 2020, arXiv 2006.10739; Rahimi and Recht, NIPS 2007).

A network sees waves of its input, and can then tell points apart that lie close together:

.. math:: \gamma(x) = (\cos 2\pi B x, \sin 2\pi B x), \quad B_{ij} \sim N(0, s^2), \text{ fixed.}

:math:`\gamma(x) \cdot \gamma(y) = \sum_b \cos 2\pi b \cdot (x - y)` over the m frequencies b, whose m-th part tends to
:math:`\exp(-2\pi^2 s^2 \|x - y\|^2)`: the distance that matters is about 1/s.
"""

from __future__ import annotations

from math import pi

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Network, Trunk


class Waves(Trunk):
    """A trunk that sees gamma (B, 2m) of its first input (B, ...), and the other inputs as they are."""

    b: Tensor

    def __init__(self, network: Network, entries: int, frequencies: int, scale: float) -> None:
        super().__init__(network)
        self.register_buffer("b", scale * torch.randn(frequencies, entries))

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        x, *beside = inputs
        return super().forward(self.gamma(x), *beside)

    def gamma(self, x: Tensor) -> Tensor:
        """Cosines, then sines: (B, 2m)."""
        # A matrix product would be in bfloat16 under that precision, and lose the fraction of a large phase.
        phases = 2 * pi * (x.flatten(1)[:, None] * self.b).sum(2)
        return torch.cat([phases.cos(), phases.sin()], 1)
