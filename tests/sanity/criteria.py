"""What a number should do along a sweep: it is given as goodness, 1 for real data, one for each point in order.

A goodness that is NaN, of a number that was withheld, does not do what reads it.
"""

import math
from collections.abc import Callable, Sequence

Criterion = Callable[[Sequence[float]], bool]

CLOSE, FLAT, DROP, SLACK = 0.05, 0.05, 0.2, 0.1
"""How far from a target, how far apart on a line, how much at least of a fall, how far from the best or worst."""


def near(point: int, target: float) -> Criterion:
    """The goodness at a point is the target."""
    return lambda g: abs(g[point] - target) <= CLOSE


def flat(first: int = 0) -> Criterion:
    """The goodness is the same from a point on."""
    return lambda g: known(g[first:]) and max(g[first:]) - min(g[first:]) <= FLAT


def known(g: Sequence[float]) -> bool:
    """No goodness is withheld."""
    return all(map(math.isfinite, g))


def bell(middle: int) -> Criterion:
    """The goodness falls from a point to both ends."""

    def holds(g: Sequence[float]) -> bool:
        ends = g[0], g[-1]
        return (
            known(g)
            and g[middle] - max(ends) >= DROP
            and max(g) - g[middle] <= SLACK
            and min(end - min(g) for end in ends) <= SLACK
        )

    return holds


def falls(g: Sequence[float]) -> bool:
    """The goodness is best at the beginning and worst at the end."""
    return known(g) and g[0] - g[-1] >= DROP and max(g) - g[0] <= SLACK and g[-1] - min(g) <= SLACK


def rises(g: Sequence[float]) -> bool:
    """The goodness is worst at the beginning and best at the end."""
    return falls(g[::-1])


def falls_by(point: int) -> Criterion:
    """The goodness falls, and has begun to at a point."""
    return lambda g: falls(g) and g[0] - g[point] >= SLACK


def either(*criteria: Criterion) -> Criterion:
    """One of several shapes, where fields differ on what diversity is."""
    return lambda g: any(criterion(g) for criterion in criteria)
