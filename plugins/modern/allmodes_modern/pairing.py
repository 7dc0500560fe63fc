r"""Pairing, after Pairing Regularization for GANs (Lin, Huang and Liu, 2026, arXiv 2604.20130): our reading of it.

The paper lets a regulariser that is trained with the generator ask for consistency of latents and generated items, so
that not many latents become one item. Its formulas were not at hand; this contrastive form is ours. With a matcher M
and the codes :math:`z_1, \dots, z_B` of a batch,

.. math:: L(G, M) = -\frac{1}{B} \sum_i \log \frac{e^{-\|M(G(z_i)) - z_i\|^2 / 2 t^2}}
    {\sum_j e^{-\|M(G(z_i)) - z_j\|^2 / 2 t^2}}

:math:`\log B - L` bounds the information of item about code from below (InfoNCE, van den Oord et al., 2018). A
generator that gives one item alone pays log B at least.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from typing_extensions import override

from allmodes import Auxiliary, Loss, LossTerm, Network, Step


class Matcher(Auxiliary):
    """M: from an item to a code (B, code_dim)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    @override
    def forward(self, seen: Tensor) -> Tensor:
        found: Tensor = self.network(seen)
        return found


class Pairing(LossTerm):
    """L; codes are held fixed."""

    def __init__(self, auxiliary: str, temperature: float) -> None:
        super().__init__()
        self.auxiliary, self.temperature = auxiliary, temperature

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.pairing}

    def pairing(self, step: Step) -> Tensor:
        """A mean over the batch."""
        z = step.latent.code.detach()
        found: Tensor = step.auxiliary(self.auxiliary, "fake")
        squares = (found[:, None] - z).square().sum(2)  # (B, B): row i has the distances of item i to all codes
        return -(squares / (-2 * self.temperature**2)).log_softmax(1).diagonal().mean()
