"""Random mixtures: places, widths and weights, each from a stream of its own.

With m_k the means, s_k = s q_k the standard deviations, r the radius that holds 98.89 % of a mode's points in D
dimensions, and `separation` a:

    q_k = width_ratio^-u_k,   w_k ~ weight_ratio^-v_k,   u and v equally spaced in [0, 1], in random orders
    s   = min over j < k of |m_j - m_k| / (a r (q_j + q_k))

so that the balls of high quality have no point in common, and it is exact whose a sample is.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from allmodes_benchmarks.geometry.random import Stream, closest, radius, ratios, rounded, spread_nested, standardise

Point = tuple[float, ...]


@lru_cache(maxsize=8)
def means_of(counts: tuple[int, ...], dims: int, seed: int) -> tuple[Point, ...]:
    """The means, about 0 and with a root mean square of 1 over all coordinates."""
    points = spread_nested(Stream("means", seed), counts, dims)
    centre, scale = standardise(points)
    return tuple(map(tuple, np.round((points - centre) / scale, 6).tolist()))


@lru_cache(maxsize=8)
def stds_of(counts: tuple[int, ...], dims: int, ratio: float, separation: float, seed: int) -> tuple[float, ...]:
    """The standard deviation of each mode."""
    means = np.asarray(means_of(counts, dims, seed))
    widths = ratios(Stream("widths", seed), len(means), ratio)
    return tuple(rounded(widths * closest(means, widths) / (separation * radius(dims))).tolist())


@lru_cache(maxsize=8)
def weights_of(modes: int, ratio: float, seed: int) -> tuple[float, ...]:
    """The weight of each mode; that of the commonest is 1."""
    return tuple(rounded(ratios(Stream("weights", seed), modes, ratio)).tolist())
