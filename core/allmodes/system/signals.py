"""The signals that end a run: Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """A request to stop by Ctrl-C or SIGTERM, after the turn in progress; a second Ctrl-C interrupts at once.

    Attributes:
        asked: Whether one of the signals came.
        terminated: Whether SIGTERM came, which asks the whole program to end, not only the run in progress.
    """

    def __init__(self) -> None:
        self.asked = self.terminated = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal. A second SIGTERM changes nothing: a process may get one for its group and one for itself."""
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
        self.terminated = self.terminated or number == signal.SIGTERM

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the two signals within the block; in other threads than the main one, Python allows no handlers."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        before = {number: handler for number, handler in before.items() if _may_replace(number, handler)}
        for number in before:
            signal.signal(number, self)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def pass_on(self) -> None:
        """Pass SIGTERM on to the program, now that everything is saved: to its own handler, else it ends with 143."""
        if not self.terminated:
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            raise SystemExit(128 + signal.SIGTERM)  # unlike the signal itself, it lets the program clean up
        signal.raise_signal(signal.SIGTERM)


def _may_replace(number: int, handler: object) -> bool:
    """Whether a handler can be replaced: Python can put it back, and the program does not ignore SIGTERM."""
    return handler is not None and not (number == signal.SIGTERM and handler is signal.SIG_IGN)
