"""A line at intervals, from a thread of its own, about what takes long."""

from __future__ import annotations

import threading
from collections.abc import Callable

INTERVAL = 60.0
"""Seconds between lines."""


class Beat:
    """Says a line at intervals until it is closed.

    Args:
        say: Says the line of now.
        interval: Seconds between lines.
    """

    def __init__(self, say: Callable[[], None], interval: float = INTERVAL) -> None:
        self._say, self._interval, self._closed = say, interval, threading.Event()
        self._thread = threading.Thread(target=self.run, daemon=True)

    def start(self) -> None:
        """Begin; the first line comes after an interval."""
        self._thread.start()

    def close(self) -> None:
        """Say no more."""
        self._closed.set()

    def run(self) -> None:
        """Say lines until closed."""
        while not self._closed.wait(self._interval):
            self._say()
