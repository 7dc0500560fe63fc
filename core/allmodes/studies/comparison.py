"""The comparison of a study's entries: mean and standard error over seeds, and costs, grouped by data."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from allmodes.registry.registry import Registry
from allmodes.runs import averages
from allmodes.runs.run import Outcome
from allmodes.studies.choices import COST_TITLES
from allmodes.studies.study import State, Study, StudyEntry, StudyRun
from allmodes_schemas import Key, Spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

REAL = "real data"
COSTS = tuple(COST_TITLES)
"""Costs of a run: real items drawn, updates, parameters, seconds of training, and those of the processor."""


@dataclass(frozen=True)
class Row(averages.Averages):
    """A method: the outcomes and states of its seeds, and, of a member of a sweep, the settings that vary."""

    method: str
    outcomes: Mapping[int, Outcome]
    states: Mapping[int, State]
    varied: Mapping[str, Any] = field(default_factory=dict)

    @property
    def finished(self) -> dict[int, Outcome]:
        """The outcomes of the seeds that were trained to the end, over which means are taken."""
        return {seed: outcome for seed, outcome in self.outcomes.items() if self.states[seed] == "finished"}

    @property
    def seeds(self) -> str:
        """The number of finished seeds: `3`, or `2 of 3`."""
        n, of = len(self.finished), len(self.states)
        return str(n) if n == of else f"{n} of {of}"

    @property
    def engines(self) -> list[str]:
        """The engines of the finished seeds, by name."""
        return sorted({outcome.engine for outcome in self.finished.values() if outcome.engine})

    @property
    @override
    def averaged(self) -> Collection[Outcome]:
        return self.finished.values()

    @property
    def costs(self) -> dict[str, float]:
        """Mean costs over the finished seeds, by the names in `COSTS`; NaN where they are of an older version."""
        each = [costs_of(outcome) for outcome in self.finished.values()]
        return {name: averages.mean([costs.get(name, math.nan) for costs in each]) for name in COSTS} if each else {}


@dataclass(frozen=True)
class Group:
    """The methods of a study that were trained on the same data and measured with as many samples.

    `numbers` are those that their metrics declare, by key.
    """

    title: str
    rows: tuple[Row, ...]
    numbers: Mapping[str, Key] = field(default_factory=dict)

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics, without their averages over the end of the runs."""
        return averages.metric_names(outcome for row in self.rows for outcome in row.outcomes.values())

    @property
    def tabulated(self) -> list[str]:
        """Names of the metrics that tables show: all but those that describe the measurement alone."""
        return [name for name in self.metrics if not self.numbers.get(name, Key()).constant]

    @property
    def varied(self) -> list[str]:
        """The settings that vary among the methods, by their dotted paths."""
        return list(dict.fromkeys(path for row in self.rows for path in row.varied))

    @property
    def floors(self) -> dict[str, float]:
        """The scores of real data on the same metrics, with as many samples."""
        return {name: value for row in self.rows for one in row.finished.values() for name, value in one.floors.items()}

    @property
    def references(self) -> dict[str, dict[str, float]]:
        """The scores of each reference sampler by its row, on the same metrics, with as many samples."""
        found: dict[str, dict[str, float]] = {}
        for outcome in (outcome for row in self.rows for outcome in row.finished.values()):
            for title, numbers in outcome.references.items():
                found[title] = {**found.get(title, {}), **numbers}
        return found

    @property
    def beside(self) -> dict[str, dict[str, float]]:
        """The scores that stand above those of methods: of real data, and of reference samplers."""
        return {REAL: self.floors, **self.references}


@dataclass(frozen=True)
class Comparison:
    """The state and results of a study.

    `errors` are those of its runs in this command, by name; `baseline` is the method, or a pattern of methods, that
    statistics compare the others with: by default the first. `registry` is what models are read with: the plugins, and
    objects of Python.
    """

    study: Study
    errors: Mapping[str, str] = field(default_factory=dict)
    baseline: str = ""
    registry: Registry | None = field(default=None, repr=False, compare=False)

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return self.study.folder

    @property
    def against(self) -> str:
        """The method, or the pattern of methods, that statistics compare the others with; empty for the first."""
        return self.baseline or self.study.shown.baseline

    def label(self, method: str) -> str:
        """What tables and figures call a method: the label of the command, or of its spec, or its name."""
        own = next((entry.spec.label for entry in self.study.entries if entry.name == method), "")
        return self.study.shown.labels.get(method) or own or method

    @cached_property
    def groups(self) -> list[Group]:
        """The rows by data, in the order of the methods."""
        entries: dict[str, list[StudyEntry]] = {}
        for entry in self.study.entries:
            entries.setdefault(describe_data(entry.spec), []).append(entry)
        return [_group(title, of_data) for title, of_data in entries.items()]

    @property
    def status(self) -> str:
        """`finished` if every run is, else the first other state."""
        return next((run.state for run in self.study.runs if run.state != "finished"), "finished")

    @property
    def unfinished(self) -> list[str]:
        """A line for each run that was begun or failed and is not finished: its state, and the error if any."""
        left = [run for run in self.study.runs if run.state != "finished" and run.name not in self.waiting]
        return [f"{run.name}: {run.describe()}{self._error_of(run)}" for run in left]

    @property
    def waiting(self) -> list[str]:
        """Names of the runs that have not begun, without those that failed to begin."""
        return [run.name for run in self.study.runs if run.state == "missing" and run.name not in self.errors]

    @property
    def engines(self) -> dict[str, list[str]]:
        """The methods that each engine trained finished seeds of."""
        rows = [row for group in self.groups for row in group.rows]
        names = sorted({engine for row in rows for engine in row.engines})
        return {engine: [row.method for row in rows if engine in row.engines] for engine in names}

    def to_frame(self, *, beside: bool = False) -> DataFrame:
        """Tabulate the runs as a pandas frame: a row for each, indexed by `method` and `seed`.

        The columns are `data`, settings that vary, `status`, `iteration`, the last value of each metric and its average
        over the end (`recent_*`), and the costs of the run, as in `table.csv`. With `beside`, rows without a seed for
        `real data` and each reference sampler stand above the methods that learn the same data.

        Raises ModuleNotFoundError where pandas is not installed.
        """
        from allmodes.studies.frames import tabulate

        return tabulate(self, beside)

    def history(self) -> DataFrame:
        """Read all numbers of the runs as a long pandas frame.

        The columns are `data`, `method`, `seed`, `iteration`, `metric`, `value`. Metrics have the names that they have
        in tables, losses are `train/<player>/<term>`, times `time/...`.

        Raises ModuleNotFoundError where pandas is not installed.
        """
        from allmodes.studies.frames import read_history

        return read_history(self)

    def plot(self, *metrics: str) -> Figure:
        """Draw metrics over iterations, a panel for each: every method's mean over its finished seeds, and a band.

        The band is the mean's 95 % bootstrap interval over seeds; of two seeds or fewer, each is drawn. Dotted is what
        real data score. By default those metrics are drawn that have a good direction or count modes; losses, which
        differ between methods, where they are named. The figure is a matplotlib Figure without a window.

        Raises ValueError for a metric that was not measured.
        """
        from allmodes.studies.plots import plot_comparison

        return plot_comparison(self, metrics)

    def __repr__(self) -> str:
        from allmodes.studies.shown import comparison_text

        return comparison_text(self)

    def _repr_html_(self) -> str:
        from allmodes.studies.shown import comparison_html

        return comparison_html(self)

    def row(self, method: str) -> Row:
        """Return the row of a method by its name."""
        return next(row for group in self.groups for row in group.rows if row.method == method)

    def _error_of(self, run: StudyRun) -> str:
        error = self.errors.get(run.name) or (run.outcome and run.outcome.error)
        return f": {error}" if error else ""


def costs_of(outcome: Outcome) -> dict[str, float]:
    """Compute a run's costs, by the names in `COSTS`; of a run of an older version only its seconds."""
    costs = outcome.costs
    if not costs:
        return {"seconds": outcome.seconds}
    own = {player: costs.get(f"parameters/{player}", 0) for player in ("generator", "discriminator")}
    every = sum(value for name, value in costs.items() if name.startswith("parameters/"))
    return {
        "images": costs.get("items", 0),
        **{f"{player}_updates": costs.get(f"updates/{player}", 0) for player in own},
        **{f"{player}_parameters": size for player, size in own.items()},
        "other_parameters": every - sum(own.values()),
        "seconds": outcome.seconds,
        "cpu_seconds": math.nan if outcome.cpu_seconds is None else outcome.cpu_seconds,
    }


def describe_data(spec: Spec) -> str:
    """Describe the data of a spec: the kind, options that differ from their defaults, and the samples measured.

    A metric of fewer samples is named with them: its numbers cannot be compared with those of more.
    """
    evaluation, given = spec.evaluation, spec.data.model_dump(mode="json", exclude_defaults=True, exclude={"kind"})
    options = "".join(f", {name} {value}" for name, value in given.items())
    own = {one.title(): one.model_dump(exclude_defaults=True).get("samples") for one in evaluation.metrics}
    fewer = "".join(f", {title} of {n:,}" for title, n in own.items() if n and n < evaluation.samples)
    return f"{spec.data.kind}{options} ({evaluation.samples:,} samples{fewer})"


def _group(title: str, entries: list[StudyEntry]) -> Group:
    numbers = {key: number for entry in entries for key, number in entry.spec.evaluation.numbers().items()}
    return Group(title, tuple(map(_row, entries)), numbers)


def _row(entry: StudyEntry) -> Row:
    outcomes = {run.seed: outcome for run in entry.runs if (outcome := run.outcome) is not None}
    return Row(entry.name, outcomes, {run.seed: run.state for run in entry.runs}, entry.varied)
