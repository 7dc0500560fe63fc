"""Clusters on a Swiss roll: places on the sheet, and how wide they may be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from allmodes_benchmarks.geometry.random import Array, Stream, closest, radius, rounded, spread, standardise
from allmodes_benchmarks.geometry.spirals import curvature_radius, length

INNER, MARGIN = 3.0, 1.5
"""Angle at which clusters begin, and how much before and after them the sheet goes on."""
HEIGHT = 20.0
"""Height of the sheet, in radii of the roll over its angle."""


@dataclass(frozen=True, eq=False)
class Roll:
    """A sheet that is rolled up, and clusters on it.

    Attributes:
        pitch: Radius of the roll over its angle.
        inner: Angle at which the sheet begins.
        outer: Angle at which it ends.
        places: Arc length from the beginning, and height, of each cluster (K, 2).
        std: Standard deviation of a cluster along the sheet.
        points: The clusters in space (K, 3), before they are turned.
    """

    pitch: float
    inner: float
    outer: float
    places: Array
    std: float
    points: Array


@lru_cache(maxsize=8)
def draw_roll(modes: int, turns: float, thinness: float, separation: float, dims: int, seed: int) -> Roll:
    """Draw clusters on a roll, scaled to a root mean square of 1 over `dims` coordinates."""
    inner, outer = INNER - MARGIN, INNER + 2 * np.pi * turns + MARGIN
    first, last = length(INNER) - length(inner), length(outer - MARGIN) - length(inner)
    middle, half = (first + last) / 2, (last - first) / 2
    places = np.array([middle, 0]) + spread(Stream("roll", seed), modes, (half, HEIGHT / 2))
    points = _roll(places, inner, outer)
    scale = 1 / standardise(points, dims)[1]
    # Clusters are apart, and end before the sheet does, which is bent the most at its beginning.
    room = min(closest(places, np.ones(modes)), first, thinness * curvature_radius(inner))
    std = float(rounded(np.asarray(scale * room / (separation * radius(dims)))))
    return Roll(float(rounded(np.asarray(scale))), inner, outer, rounded(scale * places), std, rounded(scale * points))


def _roll(places: Array, inner: float, outer: float) -> Array:
    """Points (K, 3) in space of places (K, 2) on the sheet, for a roll of pitch 1."""
    angles = np.linspace(inner, outer, 10_001)
    lengths = (angles * np.sqrt(1 + angles**2) + np.arcsinh(angles)) / 2
    u = np.interp(places[:, 0], lengths - lengths[0], angles)
    return np.stack([u * np.cos(u), u * np.sin(u), places[:, 1]], 1)
