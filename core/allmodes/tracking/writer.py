"""The thread that takes events from training to the store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")

PERIOD = 2.0  # s between batches: rare enough to cost nothing, often enough to watch a run


class Writer(Generic[T]):
    """Sends what was put, in order, every `PERIOD` seconds, from a thread that lives from the first `put` to `stop`."""

    def __init__(self, send: Callable[[Sequence[T]], None]) -> None:
        self._send = send
        self._queue: SimpleQueue[T] = SimpleQueue()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, item: T) -> None:
        """Note an item; never waits."""
        self._queue.put(item)
        if self._thread is None:
            self._stopped.clear()
            self._thread = threading.Thread(target=self._work, name="allmodes-tracking", daemon=True)
            self._thread.start()

    def stop(self, timeout: float) -> bool:
        """Send what was put, for at most `timeout` seconds, and end the thread; returns whether all was sent."""
        self._stopped.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout)
        return thread is None or not thread.is_alive()

    def _work(self) -> None:
        last = False
        while not last:
            last = self._stopped.is_set()  # asked before the queue is emptied: what came before the stop is sent
            if items := [self._queue.get() for _ in range(self._queue.qsize())]:
                self._send(items)
            self._stopped.wait(PERIOD)
