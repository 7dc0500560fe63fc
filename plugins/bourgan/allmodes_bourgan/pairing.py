r"""Pairing: a latent that was drawn around an item is to be mapped near that item.

.. math:: E \log\big(1 + \|(G(z) - x_i) / s_i\|^2\big).

A mixture around (embedded) items knows the item of each component. The logarithm makes items that are a few local
scales off count no more than they must: a generator need not map noise to a point.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from typing_extensions import override

from allmodes import Loss, LossTerm, Step


class Pairing(LossTerm):
    """Pulls what is generated to the item that its latent was drawn around."""

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.generator}

    def generator(self, step: Step) -> Tensor:
        """The mean over the batch."""
        item, scale = (step.latent.part(name).detach() for name in ("item", "scale"))  # (B, d)
        apart = (step.fake.flatten(1) - item) / scale
        return apart.square().sum(1).log1p().mean()
