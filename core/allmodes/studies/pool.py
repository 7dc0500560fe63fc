"""Worker processes side by side, each with one task after another; one that dies costs only the runs of its task."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from queue import Empty, SimpleQueue
from types import MappingProxyType
from typing import IO, Any, Protocol, TypeAlias

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


class Tasks(Protocol):
    """Where a pool takes its tasks from."""

    @property
    def are_over(self) -> bool:
        """Whether there will be no more."""

    def take(self) -> Task | None:
        """The next task; None where there is none now."""

    def put_back(self, name: str) -> None:
        """Note that a run is no longer in training here."""


class Waiting:
    """Tasks in their order."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = deque(tasks)

    @property
    def are_over(self) -> bool:
        """Whether all were taken."""
        return not self._tasks

    def take(self) -> Task | None:
        """The next task."""
        return self._tasks.popleft() if self._tasks else None

    def put_back(self, name: str) -> None:
        """What was tried is not tried again by the same command."""


class Pool:
    """At most `size` workers at a time, with variables of the environment that the user has not set."""

    def __init__(self, size: int, stop: Stop, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        self.size, self.stop, self.environment = size, stop, environment
        self._inbox: Inbox = SimpleQueue()
        self._busy: set[Worker] = set()
        self._idle: list[Worker] = []
        self._closing: set[Worker] = set()

    def run(self, tasks: Tasks) -> Iterator[Message]:
        """Run tasks in their order; yields messages about runs, each with the name of its `run`.

        The last of a run is `done`, or `died` with the exit code of its process. When `stop` is asked, workers save
        and end, and tasks that have not begun are left.
        """
        try:
            while self._share_out(tasks) or self._closing:
                with contextlib.suppress(Empty):
                    yield from self._handle(*self._inbox.get(timeout=POLL))
        finally:
            for worker in self._all:
                worker.kill()

    @property
    def _all(self) -> set[Worker]:
        return self._busy | self._closing | set(self._idle)

    def _share_out(self, tasks: Tasks) -> bool:
        """Give tasks to workers that have none; returns whether there is work left, and closes workers if not."""
        if self.stop.asked:
            self._close(self._all)
            return False
        while len(self._busy) < self.size and (task := tasks.take()) is not None:
            worker = self._idle.pop() if self._idle else Worker(self._inbox, self.environment)
            self._busy.add(worker)
            worker.send(task)
        if tasks.are_over:
            self._close(self._idle)
        return bool(self._busy) or not tasks.are_over

    def _close(self, workers: Iterable[Worker]) -> None:
        """Let workers end: those without a task at once."""
        for worker in tuple(workers):
            worker.close()
            self._forget(worker)
            self._closing.add(worker)

    def _handle(self, worker: Worker, message: Message | None) -> Iterator[Message]:
        """Pass a message on; a worker whose task ended waits for another, and one that died is replaced."""
        if message is None:
            self._forget(worker)
            code = worker.process.wait()
            yield from ({"event": "died", "run": name, "code": code} for name in worker.left)
        elif message["event"] == "ended":
            worker.left = []  # those that are left were not begun
            if worker in self._busy:
                self._forget(worker)
                self._idle.append(worker)
            if message["stopped"]:  # it takes no other task
                self._close([worker])
        else:
            if message["event"] in ("done", "busy"):
                worker.left.remove(message["run"])
            yield message

    def _forget(self, worker: Worker) -> None:
        self._busy.discard(worker)
        self._closing.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
