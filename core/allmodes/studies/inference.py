"""Intervals and paired tests over few seeds, without any distribution assumed."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 2000
EXACT = 2**12
"""Up to so many changes of sign all are tried: with 12 pairs or fewer, a p is exact."""


def interval(values: Array) -> tuple[Array, Array]:
    """Bootstrap interval of the mean over the first axis (BCa; Efron, 1987), at a level of 95 %.

    Args:
        values: (n, ...), a row for each seed. Where all rows are equal, so are both ends.

    Returns:
        Lower and upper ends (...); NaN for fewer than two rows, and where a value is not finite.
    """
    import numpy as np
    from scipy.stats import bootstrap

    mean = values.mean(0)
    if len(values) < 2:
        return np.full_like(mean, math.nan), np.full_like(mean, math.nan)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of values that do not differ, whose ends are set below
        ends = bootstrap(
            (values,),
            np.mean,
            n_resamples=RESAMPLES,
            confidence_level=LEVEL,
            method="BCa",
            rng=np.random.default_rng(0),
        ).confidence_interval
    equal = np.ptp(values, 0) == 0
    return np.where(equal, mean, ends.low), np.where(equal, mean, ends.high)


def paired_p(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided p of a paired permutation test: is the mean difference larger than with signs drawn at random?

    Exact up to 12 pairs, then from 4,096 draws. With n pairs it is at least 2^(1-n); NaN without any.
    """
    import numpy as np
    from scipy.stats import permutation_test

    differences = np.subtract(one, other)
    if len(differences) < 2 or not np.isfinite(differences).all():
        return math.nan

    def mean_difference(x: Any, y: Any, axis: int) -> Any:
        return np.mean(x - y, axis=axis)

    samples = (differences, np.zeros_like(differences))
    rng = np.random.default_rng(0)
    test = permutation_test(
        samples, mean_difference, permutation_type="samples", vectorized=True, n_resamples=EXACT, rng=rng
    )
    return float(test.pvalue)


def unpaired_p(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided p of an unpaired permutation test: is the difference of means larger than with values dealt at random?

    Exact where there are at most 16,384 ways to deal them, then from as many draws; NaN for fewer than two values.
    """
    import numpy as np
    from scipy.stats import permutation_test

    if min(len(one), len(other)) < 2 or not np.isfinite([*one, *other]).all():
        return math.nan

    def difference(x: Any, y: Any, axis: int) -> Any:
        return np.mean(x, axis=axis) - np.mean(y, axis=axis)

    rng, samples = np.random.default_rng(0), (np.asarray(one), np.asarray(other))
    test = permutation_test(samples, difference, vectorized=True, n_resamples=4 * EXACT, rng=rng)
    return float(test.pvalue)


def holm(ps: Sequence[float]) -> list[float]:
    """Correct the p of several tests for their number (Holm, 1979); tests that were not made (NaN) do not count.

    A test is significant at a level if its corrected p is at most that level, and the chance that any of those is so
    by chance is at most the level.
    """
    made = sorted((p, place) for place, p in enumerate(ps) if not math.isnan(p))
    corrected, largest = [math.nan] * len(ps), 0.0
    for rank, (p, place) in enumerate(made):
        largest = max(largest, min(1.0, p * (len(made) - rank)))
        corrected[place] = largest
    return corrected


def least_p(pairs: int, tests: int) -> float:
    """The smallest corrected p that the clearest of several tests on so many pairs can have."""
    return min(1.0, tests * 2.0 ** (1 - pairs))
