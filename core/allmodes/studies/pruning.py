"""Pruning: runs of a search that are worse than the median of the finished trials at the same evaluation stop there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from allmodes.registry.hookspecs import hookimpl
from allmodes.runs import averages, journal
from allmodes.runs.run import Run
from allmodes.runs.run_folder import RunFolder

LEAST = 5
"""Finished trials before the first run is pruned."""
MARK = "pruned: "
"""What the reason of a pruned run begins with."""
Course = Mapping[int, float]
"""A number at each evaluation of a run, or its mean over the runs of a trial, by iteration."""


class Pruner:
    """An observer that stops runs by thresholds, which are of the trials that had finished when a batch began.

    Attributes:
        thresholds: The key of the number, whether `lower` or `higher` is better, and the median at each iteration.
    """

    def __init__(self, thresholds: Mapping[str, Any]) -> None:
        self.key, self.better = thresholds["key"], thresholds["better"]
        self.medians = {int(iteration): value for iteration, value in thresholds["medians"].items()}

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Stop a run whose number is worse than the median."""
        value, middle = metrics.get(f"eval/{self.key}", math.nan), self.medians.get(iteration, math.nan)
        if (value > middle) if self.better == "lower" else (value < middle):
            run.stop(f"{MARK}{self.key} {value:.4g} at iteration {iteration} is worse than the median {middle:.4g}")


def read_course(run: Path, key: str) -> dict[int, float]:
    """A number at each evaluation of a run, from its log, without those that were withheld."""
    values = {line["iteration"]: line.get(f"eval/{key}") for line in journal.read(RunFolder(run).metrics)}
    return {iteration: float(value) for iteration, value in values.items() if value is not None}


def mean_course(courses: Sequence[Course]) -> dict[int, float]:
    """The mean over runs at the evaluations that all of them have."""
    common = set.intersection(*map(set, courses)) if courses else set()
    return {iteration: averages.mean([one[iteration] for one in courses]) for iteration in sorted(common)}


def make_thresholds(finished: Sequence[Course], key: str, better: str, last: int) -> dict[str, Any] | None:
    """The medians over finished trials at each evaluation before the last iteration; None while there are too few."""
    if len(finished) < LEAST:
        return None
    iterations = sorted({iteration for course in finished for iteration in course if iteration < last})
    at = {iteration: [course[iteration] for course in finished if iteration in course] for iteration in iterations}
    medians = {str(iteration): median(values) for iteration, values in at.items() if len(values) >= LEAST}
    return {"key": key, "better": better, "medians": medians}
