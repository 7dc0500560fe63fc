"""Thin curves in the plane, or in a random plane of more dimensions, cut into modes.

With c_k the curves by their arc length, n_k the normals in the plane, Q a rotation, and e ~ N(0, std^2 I) of D - 1
dimensions:

    x = Q (c_k(s) + e_1 n_k(s), e_2, ..., e_{D-1}),   s uniform

A mode is one of `segments` equal parts of a curve: curves that are all there, but not all along, lack modes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Batch, Shape
from allmodes_benchmarks.truths.tubes import Tubes

LANDMARKS = 200
"""Points along all curves that figures show."""


@dataclass(frozen=True, eq=False)
class PlaneCurves:
    """C curves in the plane; tensors alone.

    Attributes:
        lengths: Their lengths (C,).
    """

    lengths: Tensor

    def place(self, curve: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """The points (n, 2) of curves (n,) at arc lengths s (n,), and the unit normals (n, 2) there."""
        raise NotImplementedError(f"{type(self).__name__} does not define place(curve, s)")

    def nearest(self, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The nearest curve (n,) of points (n, 2) in double precision, the arc length there (n,), and the distance."""
        raise NotImplementedError(f"{type(self).__name__} does not define nearest(p)")

    def to(self, device: str | torch.device) -> Self:
        """The same curves on a device."""
        return replace(self, **{field.name: getattr(self, field.name).to(device) for field in fields(self)})


class Curves(Tubes):
    """Items around curves in a plane, as likely everywhere along them.

    Args:
        plane: The curves.
        std: Standard deviation of each coordinate of the noise.
        frame: Rotation (D, D), whose first two columns span the plane.
        segments: Number of modes of each curve.
    """

    def __init__(self, plane: PlaneCurves, std: float, frame: Tensor, segments: int) -> None:
        super().__init__(plane.lengths.repeat_interleave(segments), std, len(frame))
        self.plane, self.frame, self.segments = plane, frame, segments

    @property
    @override
    def shape(self) -> Shape:
        return (self.dims,)

    @override
    def to(self, device: str | torch.device) -> Curves:
        return Curves(self.plane.to(device), self.std, self.frame.to(device), self.segments)

    @override
    def draw_of(self, mode: Tensor, generator: torch.Generator) -> Batch:
        part = torch.rand(len(mode), generator=generator, device=mode.device)
        noise = self.std * torch.randn(len(mode), self.dims - 1, generator=generator, device=mode.device)
        return Batch(self._embed(mode, part, noise), mode)

    @override
    def nearest(self, x: Tensor) -> tuple[Tensor, Tensor]:
        inside = x @ self.frame.to(x)
        curve, s, distance = self.plane.nearest(inside[:, :2])
        part = (s * self.segments / self.plane.lengths.to(s)[curve]).floor()  # exactly the end counts as before it
        mode = curve * self.segments + part.nan_to_num().clamp(0, self.segments - 1).long()
        return mode, torch.hypot(distance, inside[:, 2:].norm(dim=1))

    @override
    def landmarks(self) -> Tensor:
        each = max(1, LANDMARKS // len(self.weights))
        mode = torch.arange(len(self.weights), device=self.frame.device).repeat_interleave(each)
        part = ((torch.arange(each, device=mode.device) + 0.5) / each).repeat(len(self.weights))
        return self._embed(mode, part, torch.zeros(len(mode), self.dims - 1, device=mode.device))

    @override
    def identity(self) -> tuple[object, ...]:
        parts = (getattr(self.plane, field.name) for field in fields(self.plane))
        return type(self.plane).__name__, *parts, self.std, self.frame, self.segments

    def _embed(self, mode: Tensor, part: Tensor, noise: Tensor) -> Tensor:
        """Items (n, D) of modes (n,) at a part (n,) of them, from 0 to 1, moved by noise (n, D - 1)."""
        curve = mode // self.segments
        s = self.plane.lengths[curve] * (mode % self.segments + part) / self.segments
        point, normal = self.plane.place(curve, s)
        return torch.cat([point + noise[:, :1] * normal, noise[:, 1:]], 1) @ self.frame.T
