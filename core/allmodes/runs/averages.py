"""Averages over seeds: withheld numbers (NaN) are left out of a mean, and the mean is marked with the count."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from statistics import fmean, stdev

from allmodes.runs.run import Outcome


def known(values: Iterable[float]) -> list[float]:
    """Drop numbers that are withheld (NaN)."""
    return [value for value in values if not math.isnan(value)]


def mean(values: Sequence[float]) -> float:
    """Compute the mean without withheld numbers; NaN if none is left."""
    return fmean(found) if (found := known(values)) else math.nan


def standard_error(values: Sequence[float]) -> float:
    """Compute the standard error of the mean without withheld numbers; NaN for fewer than two finite ones."""
    found = known(values)
    return stdev(found) / math.sqrt(len(found)) if len(found) > 1 and all(map(math.isfinite, found)) else math.nan


def over(values: Sequence[float], seeds: int) -> str:
    """Return ` (2 of 3)` if some but not all seeds have a number, else nothing."""
    return f" ({len(found)} of {seeds})" if 0 < len(found := known(values)) < seeds else ""


class Averages(ABC):
    """Averages of metrics over the outcomes of several seeds."""

    @property
    @abstractmethod
    def averaged(self) -> Collection[Outcome]:
        """The outcomes that means are taken over."""

    def values(self, metric: str) -> list[float]:
        """Return a metric's last value for each seed that has one, without those that withheld it."""
        return known(outcome.results[metric] for outcome in self.averaged if metric in outcome.results)

    def mean(self, metric: str) -> float:
        """Compute the mean over the seeds that have the number; warns if some have none, NaN if all have none."""
        values, seeds = self.values(metric), len(self.averaged)
        if over(values, seeds):
            text = f"{metric}: only {len(values)} of {seeds} seeds have a number, which the mean is over"
            warnings.warn(f"{text}; the others withheld it (docs/metrics.md)", stacklevel=2)
        return mean(values)

    def standard_error(self, metric: str) -> float:
        """Compute the standard error of the mean over the seeds that have the number; NaN for fewer than two."""
        return standard_error(self.values(metric))


def metric_names(outcomes: Iterable[Outcome]) -> list[str]:
    """List the metrics of outcomes, without their averages over the end of the run."""
    names = dict.fromkeys(name for outcome in outcomes for name in outcome.results)
    return [name for name in names if not name.startswith("recent_")]
