"""A process that trains the runs of one task after another: it reads tasks and writes messages as lines of JSON.

The runs of a task are trained together. The end of the input, which is also the end of the parent, saves and ends them.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import threading
from collections.abc import Mapping
from queue import SimpleQueue
from typing import Any

from allmodes.experiments import logs
from allmodes.registry.registry import installed
from allmodes.studies.claiming import claiming
from allmodes.studies.reports import Reports, Send
from allmodes.studies.tasks import Kit, train_units, units_of
from allmodes.system.signals import Stop


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
    units = units_of(task)
    with claiming(units, task.get("claims"), task.get("after", {}), send) as (claimed, send_end):
        if claimed:
            reports = Reports(claimed, send_end)
            train_units(task, reports.redirect_output, reports, stop, Kit(installed()))


if __name__ == "__main__":
    main()
