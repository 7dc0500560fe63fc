"""The line that a study begins with: what is trained, where and how, before any process has loaded torch."""

from __future__ import annotations

from collections.abc import Sequence

from allmodes.experiments.logs import near_store
from allmodes.studies.executors import Executor
from allmodes.studies.study import Study
from allmodes.system.paths import near
from allmodes_schemas import Spec


def announce(study: Study, executor: Executor, store: str | None) -> str:
    """Say what a study trains, where and how.

    Args:
        study: The study.
        executor: What trains its runs.
        store: The address of MLflow's store; None without tracking.
    """
    runs, left = study.runs, sum(run.state != "finished" for run in study.runs)
    number = f"{_count(len(runs), 'run')} of {_count(len(study.entries), 'method')}, {left:,} to train"
    return f"study {study.name}: {number}; {describe_place(study, [e.spec for e in study.entries], executor, store)}"


def describe_place(study: Study, specs: Sequence[Spec], executor: Executor, store: str | None) -> str:
    """Where and how the specs of a study are trained: folder, devices, engines, processes, store."""
    devices = ", ".join(dict.fromkeys(spec.training.device for spec in specs))
    engines = ", ".join(dict.fromkeys(spec.training.engine for spec in specs))
    logged = "not logged to MLflow" if store is None else f"MLflow {near_store(store)}"
    return f"folder {near(study.folder)}; device {devices}; engine {engines}; {executor.describe()}; {logged}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
