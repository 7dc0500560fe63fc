"""Random geometries from a seed, in NumPy and without torch: the same numbers on every machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

CANDIDATES = 16
"""Random points of which the one farthest from all others is taken."""
NESTED = 4
"""A cluster reaches no farther than this part of the distance between two cluster centres."""


class Stream:
    """Random numbers for one purpose, from a seed.

    They are made from PCG64's raw output, which NumPy promises to keep; what its distributions make of it may change.
    """

    def __init__(self, purpose: str, seed: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, *purpose.encode()]))

    def uniform(self, *shape: int) -> Array:
        """Numbers in [0, 1)."""
        raw = np.asarray(self._bits.random_raw(math.prod(shape)), dtype=np.uint64)
        return (raw >> np.uint64(11)).astype(np.float64).reshape(shape) * 2.0**-53

    def normal(self, *shape: int) -> Array:
        """Standard normal numbers, by the inverse of their distribution function."""
        from scipy.special import ndtri

        return np.asarray(ndtri(self.uniform(*shape) + 2.0**-54))

    def order(self, n: int) -> NDArray[np.int64]:
        """A random order of n things."""
        return np.argsort(self.uniform(n), kind="stable")


def radius(dims: int) -> float:
    """`allmodes.equal_coverage`, without torch."""
    from scipy.special import gammainccinv

    return math.sqrt(2 * float(gammainccinv(dims / 2, math.exp(-4.5))))


def spread(stream: Stream, n: int, half_sides: Sequence[float]) -> Array:
    """Place n points (n, dims) in a box about 0: each is the farthest of a few random ones from all before it.

    Mitchell's best candidates (1991): random, but with gaps of similar size.
    """
    dims = len(half_sides)
    points, candidates = np.empty((n, dims)), (2 * stream.uniform(n, CANDIDATES, dims) - 1) * np.asarray(half_sides)
    points[0] = candidates[0, 0]
    for k in range(1, n):
        nearest = np.square(candidates[k][:, None] - points[:k]).sum(2).min(1)  # (candidates,)
        points[k] = candidates[k, nearest.argmax()]
    return points


def spread_nested(stream: Stream, counts: tuple[int, ...], dims: int) -> Array:
    """Place clusters in the cube [-1, 1], clusters in each, and so on, as many as `counts` says from the outside in."""
    centres = spread(stream, counts[0], (1.0,) * dims)
    if not counts[1:]:
        return centres
    size = 2 * closest(centres, np.ones(len(centres))) / (NESTED * math.sqrt(dims))
    return np.concatenate([centre + size * spread_nested(stream, counts[1:], dims) for centre in centres])


def closest(points: Array, widths: Array) -> float:
    """The smallest distance of two points (n, dims), in the sum of their widths (n,)."""
    pairs = ((points[k], points[k + 1 :], widths[k] + widths[k + 1 :]) for k in range(len(points) - 1))
    return min(float((np.sqrt(np.square(others - one).sum(1)) / both).min()) for one, others, both in pairs)


def ratios(stream: Stream, n: int, ratio: float) -> Array:
    """Numbers (n,) from 1 down to 1 / ratio in equal steps of their logarithm, in a random order."""
    return np.asarray(ratio ** -np.linspace(0, 1, n)[stream.order(n)])


def standardise(points: Array, dims: int | None = None) -> tuple[Array, float]:
    """The centre (d,) of points (n, d), and the root mean square of their coordinates about it.

    Embedded in more dimensions, they have as many coordinates.
    """
    centre = points.mean(0)
    return centre, float(np.sqrt(np.square(points - centre).sum(1).mean() / (dims or points.shape[1])))


def rotation(stream: Stream, dims: int) -> Array:
    """A random rotation or reflection (dims, dims), uniform over all: QR of normal numbers (Mezzadri, 2007)."""
    q, r = np.linalg.qr(stream.normal(dims, dims))
    return np.asarray(q * np.sign(np.diag(r)))


def rounded(values: Array, digits: int = 6) -> Array:
    """Numbers to so many significant digits, so that the last bits of a machine's arithmetic make no difference."""
    return np.asarray([float(f"{value:.{digits}g}") for value in values.ravel()]).reshape(values.shape)
