"""Archimedean spirals about a common centre."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from allmodes_benchmarks.geometry.outlines import Outlines
from allmodes_benchmarks.geometry.random import Array, Stream, rounded, standardise

POINTS = 401
"""Points of each arm, for distances."""
INNER, OUTER = 2.0, 4.0
"""Range of the angle at which arms begin: below, they are bent more than their neighbours are near."""
JITTER = 0.2
"""Arms begin at equal angles, moved by up to this part of the step."""


@lru_cache(maxsize=8)
def draw_spirals(arms: int, turns: float, dims: int, seed: int) -> Outlines:
    """Draw where the arms begin, their angles and which way they turn; scaled for `dims` coordinates."""
    start, turn, hand, *jitter = Stream("spirals", seed).uniform(3 + arms)
    inner = INNER + (OUTER - INNER) * start
    outer = inner + 2 * np.pi * turns
    angles = 2 * np.pi * (turn + (np.arange(arms) + JITTER * np.asarray(jitter)) / arms)
    numbers = {"pitch": 1.0, "inner": inner, "outer": outer, "angles": angles, "hand": 1 if hand < 0.5 else -1}
    arrays = {name: rounded(np.asarray(value, dtype=np.float64)) for name, value in numbers.items()}
    arrays["pitch"] = rounded(1 / np.asarray(standardise(_points(arrays).reshape(-1, 2), dims)[1]))
    points = _points(arrays)
    along = length(float(arrays["outer"])) - length(float(arrays["inner"]))
    lengths = np.full(arms, float(arrays["pitch"]) * along)
    return Outlines(lengths, points, _own_reach(points[0], arrays), arrays)


def length(u: float) -> float:
    """Length of the spiral (u cos u, u sin u) from 0 to u."""
    return float(u * np.sqrt(1 + u * u) + np.arcsinh(u)) / 2


def curvature_radius(u: float) -> float:
    """Radius of curvature of the spiral (u cos u, u sin u) at u, which grows with u."""
    return float((1 + u * u) ** 1.5 / (2 + u * u))


def _points(numbers: dict[str, Array]) -> Array:
    """Points (arms, POINTS, 2) in about equal steps of length."""
    u = np.sqrt(np.linspace(numbers["inner"] ** 2, numbers["outer"] ** 2, POINTS))
    angle = numbers["hand"] * (u + numbers["angles"][:, None])
    return np.asarray(numbers["pitch"] * u[:, None] * np.stack([np.cos(angle), np.sin(angle)], 2))


def _own_reach(points: Array, numbers: dict[str, Array]) -> float:
    """The radius of curvature where it is smallest, or half the distance between turns."""
    u = np.sqrt(np.linspace(numbers["inner"] ** 2, numbers["outer"] ** 2, POINTS))
    bend = float(numbers["pitch"]) * curvature_radius(float(u[0]))
    apart = np.sqrt(np.square(points[:, None] - points).sum(2))
    gaps: list[float] = (apart[np.abs(u[:, None] - u) > np.pi] / 2).tolist()
    return min([bend, *gaps])
