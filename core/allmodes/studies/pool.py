"""Worker processes side by side, each with one task after another; one that dies costs the task that it was at."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import IO, Any

from allmodes.system.signals import Stop

Task = Mapping[str, Any]
Message = Mapping[str, Any]

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""One thread for each process: together they fill the machine."""
LOOK = 0.2  # s between looks at whether the user asked to stop


class Worker:
    """A process (`allmodes.studies.worker`), and a thread that reads what it tells."""

    def __init__(self, heard: SimpleQueue[tuple[Worker, Message | None]]) -> None:
        # A session of its own: Ctrl-C reaches the process that arranges, which then ends the input of its workers.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "allmodes.studies.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **THREADS},
            start_new_session=True,
        )
        self.task: Task | None = None
        threading.Thread(target=self._read, args=(heard,), daemon=True).start()

    def give(self, task: Task) -> None:
        """The next task; where the process has died, that is heard of soon."""
        self.task = task
        with contextlib.suppress(OSError):
            self._input.write(json.dumps(task) + "\n")
            self._input.flush()

    def dismiss(self) -> None:
        """End it when its task is done, or cleanly within its task."""
        with contextlib.suppress(OSError):
            self._input.close()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    @property
    def _input(self) -> IO[str]:
        assert self.process.stdin is not None
        return self.process.stdin

    def _read(self, heard: SimpleQueue[tuple[Worker, Message | None]]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # half a line of a process that was killed
                heard.put((self, json.loads(line)))
        heard.put((self, None))


@dataclass
class Pool:
    """At most `size` workers at a time."""

    size: int
    stop: Stop

    def __post_init__(self) -> None:
        self._heard: SimpleQueue[tuple[Worker, Message | None]] = SimpleQueue()
        self._workers: set[Worker] = set()

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Message]]:
        """Do tasks in their order; yields what is heard of each, last `done`, or `died` with the exit code.

        When `stop` is asked, workers end cleanly, and tasks that have not begun are left.
        """
        waiting = deque(tasks)
        try:
            while len(self._workers) < min(self.size, len(tasks)):
                self._hire(waiting)
            while self._workers:
                for worker, message in self._news(waiting):
                    yield from self._handle(worker, message, waiting)
        finally:
            for worker in self._workers:
                worker.kill()

    def _hire(self, waiting: deque[Task]) -> None:
        worker = Worker(self._heard)
        self._workers.add(worker)
        worker.give(waiting.popleft())

    def _news(self, waiting: deque[Task]) -> Iterator[tuple[Worker, Message | None]]:
        if self.stop.asked:
            waiting.clear()
            for worker in self._workers:
                worker.dismiss()
        with contextlib.suppress(Empty):
            yield self._heard.get(timeout=LOOK)

    def _handle(self, worker: Worker, message: Message | None, waiting: deque[Task]) -> Iterator[tuple[Task, Message]]:
        task = worker.task
        if message is None:
            self._workers.discard(worker)
            code = worker.process.wait()
            if task is not None:
                yield task, {"what": "died", "code": code}
            if waiting:
                self._hire(waiting)
            return
        if message["what"] == "done":
            worker.task = None
            if waiting and message["status"] != "killed":  # somebody ended that process, not its task
                worker.give(waiting.popleft())
            else:
                worker.dismiss()
        if task is not None:
            yield task, message
