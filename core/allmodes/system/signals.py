"""What ends a run from outside: Ctrl-C and SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Set by Ctrl-C or SIGTERM; the turn in progress is finished first. A second Ctrl-C interrupts at once.

    `terminated` says that SIGTERM was among them: it asks the whole program to end, not only the run in progress.
    """

    def __init__(self) -> None:
        self.asked = self.terminated = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The signal handler; to be asked to terminate twice, as a group and as a process, is to be asked once."""
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
        self.terminated = self.terminated or number == signal.SIGTERM

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the two signals within the block (Python allows that in the main thread only)."""
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
        """Hand SIGTERM on to the program, now that everything is saved: to its own handler, else it ends with 143."""
        if not self.terminated:
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            raise SystemExit(128 + signal.SIGTERM)  # unlike the signal itself, it lets the program clean up
        signal.raise_signal(signal.SIGTERM)


def _may_replace(number: int, handler: object) -> bool:
    """Not a handler that Python could not put back, nor that of a program that ignores SIGTERM."""
    return handler is not None and not (number == signal.SIGTERM and handler is signal.SIG_IGN)
