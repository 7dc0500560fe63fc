r"""RS-IMLE (Vashist, Peng and Li, ECCV 2024, arXiv 2409.17439): each real item draws the nearest draw to itself.

.. math::

    \min_G E_{z_1, \dots, z_m \sim P} \Big[ \sum_i \min_j d(x_i, G(z_j)) \Big]

No item can be dropped. P is the prior without the latents whose item is near data already: z is drawn again where
:math:`d(x_i, G(z)) < \epsilon` for some i. With :math:`\epsilon = 0` it is IMLE (Li and Malik, 2018), which learns from
the best of m draws and so from other latents than those that are sampled later.

Here d is the Euclidean distance, i runs over the batch and the sum is a mean. m latents are drawn for every update and
those that are rejected are left out, not drawn again; an item for which none is left does not count.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Loss, LossTerm, Step

PLACE = "modern.rs_imle"


def choose(x: Tensor, y: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """For each row of x (N, D) the nearest row of y (M, D) that is not rejected (N,), and whether there is one (N,)."""
    d = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    rejected = (d < epsilon).any(0)
    nearest = torch.where(rejected, torch.inf, d).min(1)
    return nearest.indices, nearest.values.isfinite()


class RejectionImle(LossTerm):
    """The mean distance of real items to their draws; the m candidates have no gradient, the chosen are drawn again."""

    def __init__(self, candidates: int, epsilon: float) -> None:
        super().__init__()
        self.candidates, self.epsilon = candidates, epsilon

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.nearest}

    def nearest(self, step: Step) -> Tensor:
        """Mean over the items that have a draw; 0 where none has."""
        x = step.x.flatten(1)
        z = step.call("prior", step.noise.at(PLACE), self.candidates * step.n).z
        y = step.call("generator", z.detach(), place=f"{PLACE}/candidates").detach().flatten(1)
        index, found = choose(x, y, self.epsilon)
        chosen = step.call("generator", z[index], place=f"{PLACE}/chosen").flatten(1)
        d = torch.where(found, (x - chosen).norm(dim=1), 0.0)
        return d.sum() / found.sum().clamp(min=1)
