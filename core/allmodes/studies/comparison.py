"""What a study gave: for each method the mean and standard error over seeds, and what it cost; groups by data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from allmodes.runs import averages
from allmodes.runs.run import Outcome
from allmodes.studies.study import Method, State, Study
from allmodes_schemas import Spec


@dataclass(frozen=True)
class Row:
    """A method: the outcomes of its seeds, how each seed stands, and what went wrong in this command."""

    method: str
    outcomes: Mapping[int, Outcome]
    states: Mapping[int, State]

    @property
    def finished(self) -> list[Outcome]:
        """The outcomes that count: only of seeds that were trained to the end."""
        return [outcome for seed, outcome in self.outcomes.items() if self.states[seed] == "finished"]

    @property
    def seeds(self) -> str:
        """`3`, or `2 of 3` where a seed is not finished."""
        n, of = len(self.finished), len(self.states)
        return str(n) if n == of else f"{n} of {of}"

    def values(self, metric: str) -> list[float]:
        """A metric's last value for each finished seed that has one; seeds that withheld it are left out."""
        return averages.known(outcome.results[metric] for outcome in self.finished if metric in outcome.results)

    def mean(self, metric: str) -> float:
        """Mean over the finished seeds that have the number, with a warning where some have none; NaN for none."""
        averages.warn_of_withheld(metric, self.values(metric), len(self.finished))
        return averages.mean(self.values(metric))

    def standard_error(self, metric: str) -> float:
        """Standard error of the mean over the finished seeds that have the number; NaN for fewer than two."""
        return averages.standard_error(self.values(metric))

    @property
    def costs(self) -> dict[str, float]:
        """Mean over the finished seeds of what a run cost."""
        each = [cost_of(outcome) for outcome in self.finished]
        return {name: averages.mean([costs.get(name, 0.0) for costs in each]) for name in COSTS} if each else {}


@dataclass(frozen=True)
class Group:
    """The methods of a study that were trained on the same data and measured with as many samples."""

    title: str
    rows: tuple[Row, ...]

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics, without their averages over the end of the runs."""
        names = dict.fromkeys(name for row in self.rows for one in row.outcomes.values() for name in one.results)
        return [name for name in names if not name.startswith("recent_")]

    @property
    def floors(self) -> dict[str, float]:
        """What real data score on the same metrics with as many samples."""
        return {name: value for row in self.rows for one in row.finished for name, value in one.floors.items()}


@dataclass(frozen=True)
class Comparison:
    """A study as it stands; `errors` are those of its runs in this command, by name."""

    study: Study
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where everything lies."""
        return self.study.folder

    @cached_property
    def groups(self) -> list[Group]:
        """The rows by data, in the order of the methods."""
        by: dict[str, list[Method]] = {}
        for method in self.study.methods:
            by.setdefault(data_of(method.spec), []).append(method)
        return [Group(title, tuple(self._row(method) for method in methods)) for title, methods in by.items()]

    @property
    def status(self) -> str:
        """`finished` if every run is, else how the first other one stands."""
        return next((unit.state for unit in self.study.units if unit.state != "finished"), "finished")

    @property
    def unfinished(self) -> list[str]:
        """A line for each run that is not finished and was begun or failed: how it stands, and the error if any."""
        left = [unit for unit in self.study.units if unit.state != "finished" and unit.name not in self.waiting]
        return [f"{unit.name}: {unit.standing}{self._why(unit.name, unit.outcome)}" for unit in left]

    @property
    def waiting(self) -> list[str]:
        """The runs that have not begun and that nothing keeps from it, by name."""
        return [unit.name for unit in self.study.units if unit.state == "missing" and unit.name not in self.errors]

    def row(self, method: str) -> Row:
        """The row of a method by its name."""
        return next(row for group in self.groups for row in group.rows if row.method == method)

    def _why(self, name: str, outcome: Outcome | None) -> str:
        error = self.errors.get(name) or (outcome and outcome.error)
        return f": {error}" if error else ""

    def _row(self, method: Method) -> Row:
        units = self.study.units_of(method)
        outcomes = {unit.seed: outcome for unit in units if (outcome := unit.outcome) is not None}
        return Row(method.name, outcomes, {unit.seed: unit.state for unit in units})


COSTS = (
    *("images", "generator_updates", "discriminator_updates"),
    *("generator_parameters", "discriminator_parameters", "other_parameters", "seconds"),
)
"""What a run costs: real items drawn, updates, parameters, seconds of training."""


def cost_of(outcome: Outcome) -> dict[str, float]:
    """What a run cost, by the names in `COSTS`; of a run of an older version only its seconds."""
    costs = outcome.costs
    known = {"seconds": outcome.seconds}
    if not costs:
        return known
    own = {player: costs.get(f"parameters/{player}", 0) for player in ("generator", "discriminator")}
    every = sum(value for name, value in costs.items() if name.startswith("parameters/"))
    return {
        "images": costs.get("items", 0),
        **{f"{player}_updates": costs.get(f"updates/{player}", 0) for player in own},
        **{f"{player}_parameters": size for player, size in own.items()},
        "other_parameters": every - sum(own.values()),
        **known,
    }


def data_of(spec: Spec) -> str:
    """The data of a spec in words: the kind and what is not its default, and the number of samples measured."""
    given = spec.data.model_dump(mode="json", exclude_defaults=True, exclude={"kind"})
    options = "".join(f", {name} {value}" for name, value in given.items())
    return f"{spec.data.kind}{options} ({spec.evaluation.samples:,} samples)"
