r"""MGAN (Hoang, Nguyen, Le, Phung; ICLR 2018; arXiv 1708.02556): several generators that a classifier tells apart.

z carries which of the K generators makes an item, all equally likely. A classifier C on D's features says which one it
was; it helps D's layers to see the difference, and the generators move apart to help it:

.. math::
    \min_{G_{1:K}, C} \max_D\ E_x \log D(x) + E_{k, z} \log(1 - D(G_k(z))) - \beta E_{k, z} \log C_k(G_k(z))

As in the authors' code, C shares D's layers, both lower the cross entropy :math:`H = -E \log C_k(G_k(z))` with weight
1, the generators lower :math:`\beta H`, and their part of the game is the non-saturating one.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from typing_extensions import override

from allmodes import Auxiliary, Loss, LossTerm, Network, Step


class Classifier(Auxiliary):
    """C: D's features (B, F) to logits of the generators (B, K)."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    @override
    def forward(self, seen: Tensor) -> Tensor:
        logits: Tensor = self.network(seen)
        return logits


class WhichGenerator(LossTerm):
    """H for D and C, beta H for the generators; which generator it was is a target without a gradient."""

    def __init__(self, auxiliary: str = "classifier", beta: float = 0.01) -> None:
        super().__init__()
        self.auxiliary, self.beta = auxiliary, beta

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"discriminator": self.entropy, "generator": lambda step: self.beta * self.entropy(step)}

    def entropy(self, step: Step) -> Tensor:
        """H, averaged over the batch."""
        logits: Tensor = step.auxiliary(self.auxiliary, "fake")  # (B, K)
        return -(step.latent.part("mode").detach() * logits.log_softmax(1)).sum(1).mean()
