"""The curves of a comparison: each metric over the run, against real items seen and against processor time."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from allmodes.runs import journal
from allmodes.runs.run import Outcome
from allmodes.runs.run_folder import RunFolder
from allmodes.studies.comparison import Comparison, Group
from allmodes.studies.study import StudyRun
from allmodes.system.durable import replace_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

CSV_HEADER = ("data", "method", "seed", "iteration", "images", "cpu_seconds", "metric", "value")


@dataclass(frozen=True)
class Point:
    """A measurement of a run: the iteration, real items seen and processor time until then, and the value.

    A cost that the run's log does not have (of an older version) is NaN.
    """

    iteration: int
    images: float
    cpu_seconds: float
    value: float


@dataclass(frozen=True)
class Curve:
    """A metric of one method over iterations that all of its seeds were measured at.

    Attributes:
        iterations: (points).
        images, cpu_seconds: (points), means over the seeds.
        values: (seeds, points).
    """

    iterations: Array
    images: Array
    cpu_seconds: Array
    values: Array


Points: TypeAlias = dict[str, dict[str, dict[int, list[Point]]]]
"""The measurements of a group's finished runs in order, by metric, method and seed."""


def read(comparison: Comparison) -> list[tuple[Group, Points]]:
    """Read the measurements of each group from the logs of its runs."""
    runs = {run.name: run for run in comparison.study.runs}
    return [(group, _read(group, runs)) for group in comparison.groups]


def curves_of(methods: Mapping[str, Mapping[int, Sequence[Point]]]) -> dict[str, Curve]:
    """The curves of a metric by method; methods without two iterations that all seeds were measured at have none."""
    curves = {method: _curve(list(each.values())) for method, each in methods.items()}
    return {method: curve for method, curve in curves.items() if curve.values.shape[1] > 1}


def write(folder: Path, each: Sequence[tuple[Group, Points]]) -> list[Path]:
    """Write `curves.csv`, a line for each measurement, if there is any; returns the files."""
    if not any(points for _, points in each):
        return []
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([CSV_HEADER, *_csv_lines(each)])
    return [replace_text(folder / "curves.csv", file.getvalue())]


def _csv_lines(each: Sequence[tuple[Group, Points]]) -> Iterator[tuple[Any, ...]]:
    for group, points in each:
        for metric, methods in points.items():
            for method, seeds in methods.items():
                for seed, measured in seeds.items():
                    for one in measured:
                        costs = (_cell(one.images), _cell(one.cpu_seconds))
                        yield group.title, method, seed, one.iteration, *costs, metric, _cell(one.value)


def _read(group: Group, runs: Mapping[str, StudyRun]) -> Points:
    found: Points = {}
    for row in group.rows:
        for seed, outcome in row.finished.items():
            lines = journal.read(RunFolder(runs[f"{row.method}/seed-{seed}"].folder).metrics)
            for metric in group.tabulated:
                if points := _points(lines, outcome, metric):
                    found.setdefault(metric, {}).setdefault(row.method, {})[seed] = points
    return found


def _points(lines: Sequence[Mapping[str, Any]], outcome: Outcome, metric: str) -> list[Point]:
    measured = {line["iteration"]: line[f"eval/{metric}"] for line in lines if f"eval/{metric}" in line}
    return [
        Point(at, _images(outcome, at), _cpu_seconds(lines, outcome, at), math.nan if value is None else value)
        for at, value in sorted(measured.items())
        if at <= outcome.iteration
    ]


def _images(outcome: Outcome, iteration: int) -> float:
    """Real items seen until an iteration: in proportion, which is exact but for turns with a cadence or a start."""
    return outcome.costs.get("items", math.nan) * iteration / max(1, outcome.iteration)


def _cpu_seconds(lines: Sequence[Mapping[str, Any]], outcome: Outcome, iteration: int) -> float:
    """Processor time until an iteration, between those that were logged."""
    import numpy as np

    logged = {line["iteration"]: line["time/cpu_seconds"] for line in lines if line.get("time/cpu_seconds") is not None}
    if outcome.cpu_seconds is not None:
        logged[outcome.iteration] = outcome.cpu_seconds
    at = sorted(logged)
    return float(np.interp(iteration, at, [logged[one] for one in at])) if at else math.nan


def _curve(each: Sequence[Sequence[Point]]) -> Curve:
    import numpy as np

    by_iteration = [{point.iteration: point for point in points} for points in each]
    common = sorted(set.intersection(*(set(points) for points in by_iteration)))
    grid = [[points[at] for at in common] for points in by_iteration]

    def array(name: str) -> Array:
        return np.array([[getattr(point, name) for point in points] for points in grid]).reshape(len(grid), -1)

    return Curve(np.array(common, float), array("images").mean(0), array("cpu_seconds").mean(0), array("value"))


def _cell(value: float) -> float | str:
    return "" if math.isnan(value) else value
