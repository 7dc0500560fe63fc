"""Half circles, and the point of them that is nearest, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from allmodes_benchmarks.truths.curves import PlaneCurves


@dataclass(frozen=True, eq=False)
class Arcs(PlaneCurves):
    """c_k(s) = m_k + R_k (cos a, sin a), a = a_k - pi/2 + s / R_k, 0 <= s <= pi R_k; the normal points outwards.

    The nearest point to p is at the angle of p - m_k, or at the end whose angle is nearer to that.

    Attributes:
        centres: m (C, 2).
        radii: R (C,).
        angles: Direction a (C,) of each arc's middle from its centre.
    """

    centres: Tensor
    radii: Tensor
    angles: Tensor

    @override
    def place(self, curve: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        angle = self.angles[curve] - math.pi / 2 + s / self.radii[curve]
        normal = torch.stack([angle.cos(), angle.sin()], 1)
        return self.centres[curve] + self.radii[curve, None] * normal, normal

    @override
    def nearest(self, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        apart = p[:, None] - self.centres.to(p)  # (n, C, 2)
        turn = torch.atan2(apart[..., 1], apart[..., 0]) - self.angles.to(p)
        turn = torch.remainder(turn + math.pi, 2 * math.pi) - math.pi  # from the middle: -pi to pi
        turn = turn.clamp(-math.pi / 2, math.pi / 2)
        angle, radii = self.angles.to(p) + turn, self.radii.to(p)
        distance = (apart - radii[:, None] * torch.stack([angle.cos(), angle.sin()], 2)).norm(dim=2)  # (n, C)
        best = distance.min(1)
        s = (turn + math.pi / 2) * radii
        return best.indices, s.gather(1, best.indices[:, None])[:, 0], best.values
