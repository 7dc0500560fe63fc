"""Worker processes side by side, each with one task after another; one that dies costs only the runs of its task."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from types import MappingProxyType
from typing import IO, Any, TypeAlias

from allmodes.system.signals import Stop

Task: TypeAlias = Mapping[str, Any]
Message: TypeAlias = Mapping[str, Any]
Inbox: TypeAlias = "SimpleQueue[tuple[Worker, Message | None]]"
"""Messages with their senders; None when a process has ended."""

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""One thread for each process: together they fill the machine."""
POLL = 0.2  # s between looks at whether the user asked to stop


class Worker:
    """A process (`allmodes.studies.worker`) with a thread that reads its messages.

    Attributes:
        left: Names of the runs of its task that have not ended.
    """

    def __init__(self, inbox: Inbox, environment: Mapping[str, str]) -> None:
        # A session of its own: Ctrl-C reaches only the parent, which then closes the input of its workers.
        self.process = subprocess.Popen(
            [sys.executable, "-m", "allmodes.studies.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, **os.environ, **THREADS},
            start_new_session=True,
        )
        self.left: list[str] = []
        threading.Thread(target=self._read, args=(inbox,), daemon=True).start()

    def send(self, task: Task) -> None:
        """Send the next task. If the process has died, the reader thread reports it."""
        self.left = [run["name"] for run in task["runs"]]
        with contextlib.suppress(OSError):
            self._input.write(json.dumps(task) + "\n")
            self._input.flush()

    def close(self) -> None:
        """Close the input: the process ends after its task, or saves and ends within it."""
        with contextlib.suppress(OSError):
            self._input.close()

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.wait()

    @property
    def _input(self) -> IO[str]:
        assert self.process.stdin is not None
        return self.process.stdin

    def _read(self, inbox: Inbox) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # half a line of a process that was killed
                inbox.put((self, json.loads(line)))
        inbox.put((self, None))


class Pool:
    """At most `size` workers at a time, with variables of the environment that the user has not set."""

    def __init__(self, size: int, stop: Stop, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        self.size, self.stop, self.environment = size, stop, environment
        self._inbox: Inbox = SimpleQueue()
        self._workers: set[Worker] = set()

    def run(self, tasks: Sequence[Task]) -> Iterator[Message]:
        """Run tasks in their order; yields messages about runs, each with the name of its `run`.

        The last of a run is `done`, or `died` with the exit code of its process. When `stop` is asked, workers save
        and end, and tasks that have not begun are left.
        """
        waiting = deque(tasks)
        try:
            while len(self._workers) < min(self.size, len(tasks)):
                self._start_worker(waiting)
            while self._workers:
                if self.stop.asked:
                    self._stop_workers(waiting)
                with contextlib.suppress(Empty):
                    worker, message = self._inbox.get(timeout=POLL)
                    yield from self._handle(worker, message, waiting)
        finally:
            for worker in self._workers:
                worker.kill()

    def _start_worker(self, waiting: deque[Task]) -> None:
        worker = Worker(self._inbox, self.environment)
        self._workers.add(worker)
        worker.send(waiting.popleft())

    def _stop_workers(self, waiting: deque[Task]) -> None:
        waiting.clear()
        for worker in self._workers:
            worker.close()

    def _handle(self, worker: Worker, message: Message | None, waiting: deque[Task]) -> Iterator[Message]:
        """Pass a message on; a worker whose task ended gets the next one, and one that died is replaced."""
        if message is None:
            self._workers.discard(worker)
            code = worker.process.wait()
            if waiting:
                self._start_worker(waiting)
            yield from ({"event": "died", "run": name, "code": code} for name in worker.left)
        elif message["event"] == "ended":
            worker.left = []  # those that are left were not begun
            if waiting and not message["stopped"]:  # one that was asked to stop takes no other task
                worker.send(waiting.popleft())
            else:
                worker.close()
        else:
            if message["event"] == "done":
                worker.left.remove(message["run"])
            yield message
