"""A process that trains runs of a study one after another: it reads tasks and writes messages as lines of JSON.

The end of its input, which is also the end of its parent, saves and ends the run in training.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from allmodes.experiments.errors import describe_error
from allmodes.experiments.experiment import Experiment
from allmodes.experiments.settings import Setup
from allmodes.registry import faults
from allmodes.registry.hookspecs import hookimpl
from allmodes.registry.registry import installed
from allmodes.runs.run import Outcome, Run
from allmodes.specs import loading
from allmodes.system.signals import Stop
from allmodes.text import redact

Send = Callable[..., None]


class ProgressSender:
    """An observer that sends a run's iteration."""

    def __init__(self, send: Send) -> None:
        self._send = send

    @hookimpl
    def allmodes_metrics_logged(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Send a message whenever numbers are logged."""
        self._send(event="progress", iteration=iteration)


def main() -> None:
    """Train the runs of the tasks until the input ends."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    faulthandler.enable()

    def send(**message: Any) -> None:
        channel.write(json.dumps(message) + "\n")

    tasks: SimpleQueue[str | None] = SimpleQueue()
    stop = Stop()
    threading.Thread(target=_read_tasks, args=(tasks, stop), daemon=True).start()
    while not stop.asked and (line := tasks.get()) is not None:
        send(event="done", **_run_task(json.loads(line), send, stop))


def _read_tasks(tasks: SimpleQueue[str | None], stop: Stop) -> None:
    for line in sys.stdin:
        tasks.put(line)
    stop.asked = True
    tasks.put(None)


def _run_task(task: Mapping[str, Any], send: Send, stop: Stop) -> dict[str, Any]:
    """Train a run with all output in its log; an error ends this run, not the process."""
    try:
        _redirect_output(Path(task["log"]))
    except OSError as error:  # nothing of such a run can be written
        return {"status": "failed", "error": f"{error.filename}: {error.strerror}"}
    try:
        outcome = _train(task, send, stop)
    except Exception as error:
        faults.trace(error)
        print(redact.text(traceback.format_exc()), file=sys.stderr)
        return {"status": "failed", "error": describe_error(error)}
    return {"status": outcome.status, "error": outcome.error}


def _train(task: Mapping[str, Any], send: Send, stop: Stop) -> Outcome:
    folder, seed, registry = Path(task["folder"]), int(task["seed"]), installed()
    experiment = Experiment(
        loading.load(str(folder), registry),
        registry,
        folder.parent,
        track=task["track"],
        observers={"progress": ProgressSender(send)},
        warn=lambda text: send(event="warning", text=text),
        announce=lambda text, partly: send(event="data", text=text, partly=partly),
        setup=Setup(resumed=folder, floors=folder.parent / ".floors", sends=False),
    )
    experiment.prepare()
    run: Run = experiment.run_of(seed, folder, task["position"], task["runs"])
    return experiment.train(replace(run, experiment=task["study_id"], study=task["study"]), stop)


def _redirect_output(log: Path) -> None:
    """Redirect standard output and error, also those of libraries in C, to a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)


if __name__ == "__main__":
    main()
