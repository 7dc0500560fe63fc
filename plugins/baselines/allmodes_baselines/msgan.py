r"""MSGAN (Mao, Lee, Tseng, Ma and Yang, CVPR 2019): two latents far apart should give items far apart.

With two independent draws :math:`z_1, z_2` and :math:`y_i = G(z_i)`, G further raises the ratio of the distances,
:math:`\max_G d(y_1, y_2) / d(z_1, z_2)`, which the authors' code writes as

.. math:: \min_G\ \lambda \Big/ \Big(\frac{d(y_1, y_2)}{d(z_1, z_2)} + 10^{-5}\Big)

with d the mean absolute difference over the whole batch, so that one ratio is formed for each batch and not for each
pair.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from typing_extensions import override

from allmodes import Loss, LossTerm, Step

EPSILON = 1e-5


class ModeSeeking(LossTerm):
    """One over the ratio of distances; lambda is the term's weight. Latents have no gradient."""

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.mode_seeking}

    def mode_seeking(self, step: Step) -> Tensor:
        """1 / (d(y1, y2) / d(z1, z2) + 1e-5)."""
        other = step.redraw("mode_seeking")
        d_y = (step.fake - other.fake).abs().mean()  # over B items of any shape
        d_z = (step.latent.code - other.latent.code).detach().abs().mean()  # over (B, K)
        return 1 / (d_y / d_z + EPSILON)
