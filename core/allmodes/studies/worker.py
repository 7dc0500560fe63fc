"""A process that trains the runs of one task after another: it reads tasks and writes messages as lines of JSON.

The runs of a task are trained together. The end of the input, which is also the end of the parent, saves and ends them.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias

from allmodes.data import Data
from allmodes.experiments import logs
from allmodes.experiments.experiment import Experiment
from allmodes.experiments.settings import Setup
from allmodes.experiments.together import train_together
from allmodes.registry.registry import Registry, installed
from allmodes.runs.run import Run
from allmodes.specs import loading
from allmodes.studies.claiming import claiming, is_taken_over
from allmodes.studies.pruning import Pruner
from allmodes.studies.reports import Reports, Send, Unit
from allmodes.system import signals
from allmodes.system.signals import Stop, Stopped

Lane: TypeAlias = tuple[Unit, Experiment, Run]
"""A run of a task, ready to be trained."""


def main() -> None:
    """Train the runs of the tasks until the input ends."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    faulthandler.enable()
    logs.start(as_json=False)  # to standard error, which is the log of a task's first run

    def send(**message: Any) -> None:
        channel.write(json.dumps(message) + "\n")

    tasks: SimpleQueue[str | None] = SimpleQueue()
    stop = Stop()
    threading.Thread(target=_read_tasks, args=(tasks, stop), daemon=True).start()
    with stop.listening():  # a cluster may tell all of its job's processes
        while not stop.asked and (line := tasks.get()) is not None:
            train_task(json.loads(line), send, stop)
            send(event="ended", stopped=stop.asked)


def _read_tasks(tasks: SimpleQueue[str | None], stop: Stop) -> None:
    for line in sys.stdin:
        tasks.put(line)
    stop.ask()
    tasks.put(None)


def train_task(task: Mapping[str, Any], send: Send, stop: Stop) -> None:
    """Train the runs of a task together, with all output in their logs; each sends its end.

    An error of a run, or of the data of an experiment, ends what it concerns, not the process. Of a study that several
    commands train, runs are trained that nobody else has claimed.
    """
    units = [Unit(run["name"], Path(run["folder"]), run["seed"], run["position"]) for run in task["runs"]]
    with claiming(units, task.get("claims"), task.get("after", {}), send) as (claimed, send_end):
        if claimed:
            _train_units(task, claimed, send_end, stop)


def _train_units(task: Mapping[str, Any], units: Sequence[Unit], send: Send, stop: Stop) -> None:
    reports = Reports(units, send)
    try:
        with stop.interrupting():
            signals.check()
            lanes = list(_make_lanes(task, reports.redirect_output(), reports))
    except Stopped:
        lanes = []
    for unit in list(reports.left.values()) if stop.asked and not lanes else []:
        reports.end(unit, "killed", None)
    with reports.ending([unit for unit, _, _ in lanes]):
        outcomes = train_together([(experiment, run) for _, experiment, run in lanes], stop) if lanes else []
        for (unit, _, _), outcome in zip(lanes, outcomes, strict=True):
            reports.end(unit, outcome.status, outcome.error)  # of those that had nothing left to do, or did not begin


def _make_lanes(task: Mapping[str, Any], units: Sequence[Unit], reports: Reports) -> Iterator[Lane]:
    """The runs of those units that can begin, with one experiment for all seeds of a spec."""
    registry, shared = installed(), dict[str, Data]()
    for folder in dict.fromkeys(unit.folder for unit in units):
        seeds = [unit for unit in units if unit.folder == folder]
        with reports.ending(seeds):
            experiment = _make_experiment(folder, seeds, task, reports, registry, shared)
            if thresholds := task.get("thresholds"):
                experiment.observers = {"reports": reports, "pruner": Pruner(thresholds)}
            experiment.prepare()
            for unit in seeds:
                with reports.ending([unit]):
                    run = experiment.run_of(unit.seed, folder, unit.position, task["number"])
                    study = {"experiment": task["study_id"], "study": task["study"]}
                    yield unit, experiment, replace(run, **study, repeats=len(experiment.spec.seeds))


def _make_experiment(
    folder: Path,
    units: Sequence[Unit],
    task: Mapping[str, Any],
    reports: Reports,
    registry: Registry,
    shared: dict[str, Data],
) -> Experiment:
    spec, claims = loading.load(str(folder), registry), task.get("claims")
    taken_over = frozenset(unit.path for unit in units if claims is not None and is_taken_over(claims, unit))
    return Experiment(
        spec,
        registry,
        folder.parent,
        track=task["track"],
        observers={"reports": reports},
        warn=lambda text: reports.warn(spec.name, units, text),
        announce=lambda text, partly: reports.announce(units[0], text, partly),
        setup=Setup(
            resumed=folder, floors=folder.parent / ".floors", sends=False, shared=shared, taken_over=taken_over
        ),
    )


if __name__ == "__main__":
    main()
