"""Training a study by tasks of Ray: workers, each of which takes runs that nobody has claimed.

Ray is asked for places to run them alone: whose turn it is, and what has ended, is read from the study's folder, which
all of its nodes share. A task whose process dies is tried again, and goes on from the last checkpoint.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from allmodes.registry.registry import installed
from allmodes.runs.run import RunError
from allmodes.studies.study import State, Study, StudyRun
from allmodes.system.signals import Stop
from allmodes_schemas import RayConfig

POLL = 1.0
"""Seconds between two looks at the folder."""
STARTS = 3
"""How often a cluster is tried to be reached: Ray waits for half a minute each time."""
WAIT = 120.0
"""Seconds that tasks have to save and end after Ctrl-C."""


def follow(
    study: Study, options: RayConfig, settings: dict[str, Any], stop: Stop, on_end: Callable[[StudyRun, State], None]
) -> None:
    """Start the tasks, and wait until they have ended, or the user stops, which lets them save and end.

    `settings` are those of a worker: `jobs`, `pack`, `track`. Raises RunError where Ray is not installed or reached.
    """
    ray = _connect()
    try:
        asked = {"num_cpus": options.cpus, "num_gpus": options.gpus, "max_retries": options.retries}
        task = ray.remote(**asked, retry_exceptions=False)(take_part)
        tasks = [task.remote(str(study.folder), settings) for _ in range(options.workers)]
        _wait(ray, tasks, study, stop, on_end)
    finally:
        ray.shutdown()


def take_part(folder: str, settings: dict[str, Any]) -> None:
    """Train runs of a study that nobody has claimed, until none is free. The task of a worker."""
    from allmodes.studies.executors import Joined
    from allmodes.studies.stored import load_written
    from allmodes.studies.trainer import StudyTrainer

    executor = Joined(settings["jobs"], settings["pack"], waits=False)
    StudyTrainer(load_written(folder, installed()), executor, settings["track"], print, figures=False).run()


def _connect() -> Any:
    """Ray, connected to the cluster that RAY_ADDRESS names, or to one of this machine alone."""
    try:
        import ray
    except ImportError:
        raise RunError("--on ray: ray is not installed: pip install 'allmodes[ray]'") from None
    for left in reversed(range(STARTS)):
        try:
            ray.init(address=os.environ.get("RAY_ADDRESS"), configure_logging=False, include_dashboard=False)
            return ray
        except Exception as error:  # of many kinds; a busy machine starts no cluster in Ray's half minute
            ray.shutdown()
            if not left:
                raise RunError(f"--on ray: no cluster could be reached or started: {error}") from None
    raise AssertionError


def _wait(ray: Any, tasks: Sequence[Any], study: Study, stop: Stop, on_end: Callable[[StudyRun, State], None]) -> None:
    left, waiting = {run.name: run for run in study.runs if run.state != "finished"}, list(tasks)
    while waiting and not stop.asked:
        _, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=POLL)
        for run in [run for run in left.values() if run.state == "finished"]:
            on_end(left.pop(run.name), "finished")
    if stop.asked:
        _interrupt(ray, waiting)
    for run in left.values():
        on_end(run, run.state)
    _check(ray, [task for task in tasks if task not in waiting] if not stop.asked else [])


def _interrupt(ray: Any, tasks: Sequence[Any]) -> None:
    """Interrupt tasks as Ctrl-C does, and wait until they have saved."""
    for task in tasks:
        ray.cancel(task)
    until = time.monotonic() + WAIT
    while tasks and time.monotonic() < until:
        _, tasks = ray.wait(tasks, num_returns=len(tasks), timeout=POLL)


def _check(ray: Any, tasks: Sequence[Any]) -> None:
    """Raise RunError with the first error of a task."""
    for task in tasks:
        try:
            ray.get(task)
        except Exception as error:
            raise RunError(f"--on ray: a worker failed: {error}") from None
