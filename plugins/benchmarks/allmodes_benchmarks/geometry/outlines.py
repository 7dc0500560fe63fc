"""Curves in the plane by dense points: how far they are apart, and how wide the noise around them may be."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from allmodes_benchmarks.geometry.random import Array, Stream, radius, rotation, rounded


@dataclass(frozen=True, eq=False)
class Outlines:
    """C curves.

    Attributes:
        lengths: Their lengths (C,).
        points: Points along each (C, P, 2), dense and in equal steps.
        bend: The smallest radius of curvature of any.
        numbers: What the family's class in torch is made of, by its arguments' names.
    """

    lengths: Array
    points: Array
    bend: float
    numbers: dict[str, Array]

    @property
    def reach(self) -> float:
        """How far one may go from the curves at right angles, and still have the start as the one nearest point.

        The smallest of the radii of curvature and of half the distances between curves (Federer, 1959); between points
        the distance is known to a step^2 / 4 gap, some thousandths.
        """
        pairs = combinations(self.points, 2)
        return min([self.bend, *(distance(one, other) / 2 for one, other in pairs)])

    def std(self, dims: int, separation: float) -> float:
        """Standard deviation of noise whose region of high quality is `separation` times within the reach."""
        return float(rounded(np.asarray(self.reach / (separation * radius(dims - 1)))))

    def embedded(self, dims: int, seed: int) -> Array:
        """Some points of the curves (M, dims)."""
        points = self.points[:, :: max(1, self.points.shape[1] // 50)].reshape(-1, 2)
        return points @ frame(dims, seed)[:, :2].T


def frame(dims: int, seed: int) -> Array:
    """A rotation (dims, dims), whose first two columns span the plane of the curves."""
    return rotation(Stream("frame", seed), dims)


def distance(one: Array, other: Array) -> float:
    """The smallest distance between points (n, 2) and points (m, 2)."""
    return math.sqrt(np.square(one[:, None] - other).sum(2).min())
