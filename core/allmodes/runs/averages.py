"""Means over seeds, some of which may have withheld a number: over those that gave one, and told over how many."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev


def known(values: Iterable[float]) -> list[float]:
    """The numbers without those that are withheld (NaN)."""
    return [value for value in values if not math.isnan(value)]


def mean(values: Sequence[float]) -> float:
    """Mean of what is known; NaN where nothing is."""
    return fmean(found) if (found := known(values)) else math.nan


def standard_error(values: Sequence[float]) -> float:
    """Standard error of the mean of what is known; NaN for fewer than two finite numbers."""
    found = known(values)
    return stdev(found) / math.sqrt(len(found)) if len(found) > 1 and all(map(math.isfinite, found)) else math.nan


def over(values: Sequence[float], seeds: int) -> str:
    """` (2 of 3)` where a mean is not over all seeds; nothing where it is, or where there is none."""
    return f" ({len(found)} of {seeds})" if 0 < len(found := known(values)) < seeds else ""


def warn_of_withheld(metric: str, values: Sequence[float], seeds: int) -> None:
    """Say to whoever asks for a mean from Python that it is not over all seeds."""
    if over(values, seeds):
        given = len(known(values))
        what = f"{metric}: only {given} of {seeds} seeds have a number, which the mean is over"
        warnings.warn(f"{what}; the others withheld it (docs/metrics.md)", stacklevel=3)
