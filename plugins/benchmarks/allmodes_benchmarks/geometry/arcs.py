"""Half circles at random places."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from allmodes_benchmarks.geometry.outlines import Outlines, distance
from allmodes_benchmarks.geometry.random import CANDIDATES, Array, Stream, rounded, standardise

POINTS = 65
"""Points of each arc, for distances."""
SIDE = 1.5
"""Half the side of the square of the centres, in radii of arcs, over the square root of their number less one."""


@lru_cache(maxsize=8)
def draw_arcs(n: int, dims: int, seed: int) -> Outlines:
    """Draw n half circles, each the farthest of a few random ones from all before it; scaled for `dims` coordinates."""
    stream, arcs = Stream("arcs", seed), list[Array]()
    for _ in range(n):
        candidates = [_candidate(stream, n) for _ in range(CANDIDATES)]
        gaps = [min([distance(_points(arc), _points(other)) for other in arcs], default=0.0) for arc in candidates]
        arcs.append(candidates[int(np.argmax(gaps))])
    centre, scale = standardise(np.concatenate([_points(arc) for arc in arcs]), dims)
    x, y, radii, angles = rounded(np.stack(arcs).T)
    centres, radii = rounded((np.stack([x, y], 1) - centre) / scale), rounded(radii / scale)
    points = np.stack([_points(arc) for arc in np.column_stack([centres, radii, angles])])
    return Outlines(np.pi * radii, points, float(radii.min()), {"centres": centres, "radii": radii, "angles": angles})


def _candidate(stream: Stream, n: int) -> Array:
    """An arc: centre (2), radius, and direction of its middle from the centre."""
    x, y, size, turn = stream.uniform(4)
    side = SIDE * (np.sqrt(n) - 1)
    return np.array([side * (2 * x - 1), side * (2 * y - 1), 0.7 + 0.6 * size, np.pi * (2 * turn - 1)])


def _points(arc: Array) -> Array:
    angle = arc[3] + np.linspace(-np.pi / 2, np.pi / 2, POINTS)
    around = np.stack([np.cos(angle), np.sin(angle)], 1)
    points: Array = arc[:2] + arc[2] * around
    return points
