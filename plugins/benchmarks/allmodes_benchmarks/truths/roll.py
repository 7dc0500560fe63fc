"""Clusters on a Swiss roll, and where a sample lies when the roll is unrolled.

The sheet is an Archimedean spiral c(s) by its arc length s, times a height h. Unrolled, it is a plane: a geodesic is a
straight line there, so that the distance along the sheet is Euclidean in (s, h). A cluster is a Gaussian in the
coordinates (s, h, t d, t e), with d the distance from the sheet along the normal n(s), e the coordinates beyond three,
and t the thinness: it is t times as wide along the sheet as across. Q is a rotation.

    x = Q (c(s) + d n(s), h, e)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Batch, Mixture, Shape, Truth
from allmodes_benchmarks.truths.spirals import Spirals


class SwissRoll(Truth):
    """A mixture in the coordinates of the unrolled sheet: mode, high quality and variance ratio are its, exactly.

    Args:
        roll: One spiral, which goes on beyond the clusters.
        mixture: The clusters in (s, h, t d, t e), D coordinates.
        thinness: t.
        frame: Q (D, D).
    """

    def __init__(self, roll: Spirals, mixture: Mixture, thinness: float, frame: Tensor) -> None:
        self.roll, self.mixture, self.thinness, self.frame = roll, mixture, thinness, frame
        self.weights = mixture.weights

    @property
    @override
    def shape(self) -> Shape:
        return self.mixture.shape

    @property
    @override
    def radius(self) -> float:
        return self.mixture.radius

    @override
    def to(self, device: str | torch.device) -> SwissRoll:
        return SwissRoll(self.roll.to(device), self.mixture.to(device), self.thinness, self.frame.to(device))

    @override
    def draw_of(self, mode: Tensor, generator: torch.Generator) -> Batch:
        return Batch(self.rolled(self.mixture.draw_of(mode, generator).x), mode)

    @override
    def find(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mixture.find(self.unrolled(x))

    @override
    def variance_ratio(self, samples: Tensor, mode: Tensor) -> float:
        return self.mixture.variance_ratio(self.unrolled(samples.flatten(1).double()), mode)

    @override
    def box(self) -> tuple[Tensor, Tensor]:
        """The box that the clusters' centres span, widened by how far a point of high quality is from them at most."""
        places, reach = self.landmarks(), self.radius * float(self.mixture.stds.max())
        farthest = reach * math.sqrt(1 + 1 / self.thinness**2)
        return places.amin(0) - farthest, places.amax(0) + farthest

    @override
    def landmarks(self) -> Tensor:
        return self.rolled(self.mixture.means)

    @override
    def identity(self) -> tuple[object, ...]:
        return "roll", self.roll.pitch, self.roll.inner, self.thinness, self.frame, *self.mixture.identity()

    def rolled(self, flat: Tensor) -> Tensor:
        """Items (n, D) from their coordinates in the unrolled sheet."""
        s, h, across = flat[:, 0], flat[:, 1:2], flat[:, 2:] / self.thinness
        point, normal = self.roll.place(torch.zeros_like(s, dtype=torch.long), s)
        return torch.cat([point + across[:, :1] * normal, h, across[:, 1:]], 1) @ self.frame.T

    def unrolled(self, x: Tensor) -> Tensor:
        """Coordinates in the unrolled sheet of items x (n, D), by the nearest point of the roll."""
        inside = x @ self.frame.to(x)
        _, s, _ = self.roll.nearest(inside[:, :2])
        point, normal = self.roll.place(torch.zeros_like(s, dtype=torch.long), s)
        across = ((inside[:, :2] - point) * normal).sum(1, keepdim=True)
        return torch.cat([s[:, None], inside[:, 2:3], self.thinness * across, self.thinness * inside[:, 3:]], 1)
