"""Training the runs of one task together, in whichever process: each is told of by messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from allmodes.data import Data
from allmodes.experiments.experiment import Experiment
from allmodes.experiments.settings import Setup
from allmodes.experiments.together import train_together
from allmodes.registry.given import KEYWORDS, given_in
from allmodes.registry.registry import Registry
from allmodes.runs.run import Run
from allmodes.specs import loading
from allmodes.studies.claiming import is_taken_over
from allmodes.studies.pruning import Pruner
from allmodes.studies.reports import Reports, Unit
from allmodes.system import signals
from allmodes.system.signals import Stop, Stopped
from allmodes_schemas import Spec

Lane: TypeAlias = tuple[Unit, Experiment, Run]
"""A run of a task, ready to be trained."""


@dataclass(frozen=True)
class Kit:
    """What specs may name: the plugins, and objects of Python by keyword argument and name."""

    registry: Registry
    objects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def objects_of(self, spec: Spec) -> dict[str, dict[str, Any]]:
        """The objects that a spec names, for each keyword argument."""
        named = given_in(spec)
        return {
            keyword: {name: self.objects[keyword][name] for name in named.get(keyword, ())}
            for keyword in KEYWORDS.values()
        }


def units_of(task: Mapping[str, Any]) -> list[Unit]:
    """The runs of a task."""
    return [Unit(run["name"], Path(run["folder"]), run["seed"], run["position"]) for run in task["runs"]]


def train_units(
    task: Mapping[str, Any], begin: Callable[[], Sequence[Unit]], reports: Reports, stop: Stop, kit: Kit
) -> None:
    """Train runs of a task together, those that `begin` returns; each sends its end, and an error what it concerns."""
    try:
        with stop.interrupting():
            signals.check()
            lanes = list(_make_lanes(task, begin(), reports, kit))
    except Stopped:
        lanes = []
    for unit in list(reports.left.values()) if stop.asked and not lanes else []:
        reports.end(unit, "killed", None)
    with reports.ending([unit for unit, _, _ in lanes]):
        outcomes = train_together([(experiment, run) for _, experiment, run in lanes], stop) if lanes else []
        for (unit, _, _), outcome in zip(lanes, outcomes, strict=True):
            reports.end(unit, outcome.status, outcome.error)  # of those that had nothing left to do, or did not begin


def _make_lanes(task: Mapping[str, Any], units: Sequence[Unit], reports: Reports, kit: Kit) -> Iterator[Lane]:
    """The runs of those units that can begin, with one experiment for all seeds of a spec."""
    shared = dict[str, Data]()
    for folder in dict.fromkeys(unit.folder for unit in units):
        seeds = [unit for unit in units if unit.folder == folder]
        with reports.ending(seeds):
            experiment = _make_experiment(folder, seeds, task, reports, kit, shared)
            if thresholds := task.get("thresholds"):
                experiment.observers = {"reports": reports, "pruner": Pruner(thresholds)}
            experiment.prepare()
            for unit in seeds:
                with reports.ending([unit]):
                    run = experiment.run_of(unit.seed, folder, unit.position, task["number"])
                    study = {"experiment": task["study_id"], "study": task["study"]}
                    yield unit, experiment, replace(run, **study, repeats=len(experiment.spec.seeds))


def _make_experiment(
    folder: Path, units: Sequence[Unit], task: Mapping[str, Any], reports: Reports, kit: Kit, shared: dict[str, Data]
) -> Experiment:
    spec, claims = loading.load(str(folder), kit.registry), task.get("claims")
    objects = kit.objects_of(spec)
    taken_over = frozenset(unit.path for unit in units if claims is not None and is_taken_over(claims, unit))
    return Experiment(
        spec,
        kit.registry,
        folder.parent,
        track=task["track"],
        observers={"reports": reports},
        warn=lambda text: reports.warn(spec.name, units, text),
        announce=lambda text, partly: reports.announce(units[0], text, partly),
        setup=Setup(
            resumed=folder, floors=folder.parent / ".floors", sends=False, shared=shared, taken_over=taken_over
        ),
        networks=objects["networks"],
        losses=objects["losses"],
        metrics=objects["metrics"],
    )
