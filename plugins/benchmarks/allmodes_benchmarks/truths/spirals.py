"""Archimedean spirals, and the point of them that is nearest, by Newton's method."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override

from allmodes_benchmarks.truths.curves import PlaneCurves

STEPS = 12
"""Steps of Newton's method: in double precision distances are right to 1e-9."""


@dataclass(frozen=True, eq=False)
class Spirals(PlaneCurves):
    """c_k(u) = b u (cos h (u + a_k), sin h (u + a_k)), u_0 <= u <= u_1; the normal points outwards.

    The length from u = 0 is b (u sqrt(1 + u^2) + asinh u) / 2. The nearest point to p = rho (cos h (f + a_k), ...) has
    0 = d/du |c_k(u) - p|^2 / 2 = b^2 u - b rho cos(u - f) + b u rho sin(u - f), once in each turn, near u = f + 2 pi j.

    Attributes:
        pitch: b, a number.
        inner: u_0.
        outer: u_1.
        angles: a (C,).
        hand: h, 1 or -1.
    """

    pitch: Tensor
    inner: Tensor
    outer: Tensor
    angles: Tensor
    hand: Tensor

    @override
    def place(self, curve: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        u = self._angle_at(s / self.pitch + _length(self.inner))
        angle = self.hand * (u + self.angles[curve])
        outwards, along = torch.stack([angle.cos(), angle.sin()], 1), torch.stack([-angle.sin(), angle.cos()], 1)
        normal = (u[:, None] * outwards - self.hand * along) / (1 + u.square()).sqrt()[:, None]
        return self.pitch * u[:, None] * outwards, normal

    @override
    def nearest(self, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        b, rho = self.pitch.to(p), p.norm(dim=1)[:, None, None]
        f = (self.hand.to(p) * torch.atan2(p[:, 1], p[:, 0])[:, None] - self.angles.to(p))[..., None]  # (n, C, 1)
        u = self._near(f, b, rho)  # (n, C, turns)
        squares = b * b * u * u - 2 * b * u * rho * (u - f).cos() + rho * rho
        best = squares.flatten(1).min(1)
        turns = u.shape[2]
        u_best = u.flatten(1).gather(1, best.indices[:, None])[:, 0]
        s = b * (_length(u_best) - _length(self.inner.to(p)))
        return best.indices // turns, s, best.values.clamp(min=0).sqrt()

    def _near(self, f: Tensor, b: Tensor, rho: Tensor) -> Tensor:
        """The nearest angle of each turn, and both ends (n, C, turns)."""
        inner, outer = self.inner.to(f), self.outer.to(f)
        turns = 3 + math.ceil(float(outer - inner) / (2 * math.pi))
        first = f + 2 * math.pi * ((inner - math.pi - f) / (2 * math.pi)).ceil()
        u = first + 2 * math.pi * torch.arange(turns, device=f.device)
        for _ in range(STEPS):
            cos, sin = (u - f).cos(), (u - f).sin()
            slope = b * b * u - b * rho * cos + b * u * rho * sin
            bend = b * b + 2 * b * rho * sin + b * u * rho * cos
            u = u - (slope / bend.clamp(min=float(b * b))).clamp(-0.5, 0.5)
        return torch.cat([u.clamp(inner, outer), (inner + 0 * f), (outer + 0 * f)], 2)

    def _angle_at(self, length: Tensor) -> Tensor:
        """The angle u > 0 at a length over b from u = 0; from above, Newton's steps never go too far."""
        u = (2 * length).sqrt()
        for _ in range(STEPS):
            u = u - (_length(u) - length) / (1 + u.square()).sqrt()
        return u


def _length(u: Tensor) -> Tensor:
    """Length of the spiral (u cos u, u sin u) from 0 to u."""
    return (u * (1 + u.square()).sqrt() + u.asinh()) / 2
