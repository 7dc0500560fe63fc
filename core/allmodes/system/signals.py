"""The signals that end a run: Ctrl-C, SIGTERM, and those of the environment, as clusters send before the end."""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from allmodes.system.variables import VariableError

NAMES = "ALLMODES_SIGNALS"
"""The environment's further signals, such as `USR1,USR2`."""
AGAIN = 75
"""Exit code after one of them: EX_TEMPFAIL, everything is saved and can go on."""


class Stopped(BaseException):
    """A stop that was asked for while something was computed that can be computed again."""


class Stop:
    """A request to stop by a signal, after the turn in progress; a second Ctrl-C interrupts at once.

    Attributes:
        asked: Whether a signal came.
        number: Of the signal, other than Ctrl-C, that asks the whole program to end, not only the run in progress.
    """

    def __init__(self) -> None:
        self.asked, self.number, self._interrupts = False, 0, False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal. A second SIGTERM changes nothing: a process may get one for its group and one for itself."""
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
        self.number = self.number or (0 if number == signal.SIGINT else number)
        if self._interrupts:
            raise Stopped

    def ask(self) -> None:
        """Ask to stop from another thread than the main one."""
        self.asked = True
        if self._interrupts:
            _wake_main_thread()

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Raise Stopped within the block when a signal comes, in the place of waiting for the turn in progress.

        It is for what takes long and can be done again: what comes before training, and what is measured after it.
        """
        global _current
        before, _current, self._interrupts = (_current, self._interrupts), self, True
        try:
            yield
        finally:
            _current, self._interrupts = before

    @property
    def terminated(self) -> bool:
        """Whether a signal asks the whole program to end."""
        return self.number != 0

    @property
    def code(self) -> int:
        """The exit code of a program that saved and ended: 130 after Ctrl-C, 143 after SIGTERM, else 75."""
        return {0: 130, signal.SIGTERM: 143}.get(self.number, AGAIN)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals within the block; in other threads than the main one, Python allows no handlers.

        Raises VariableError where the environment names what is no signal.
        """
        numbers = (signal.SIGINT, signal.SIGTERM, *further())
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in numbers}
        before = {number: handler for number, handler in before.items() if _may_replace(number, handler)}
        for number in before:
            signal.signal(number, self)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def pass_on(self) -> None:
        """Pass a signal on to the program, now that everything is saved: to its own handler, else it ends.

        The exit code is 143 after SIGTERM, and 75 after a signal that the environment names.
        """
        if not self.number:
            return
        if signal.getsignal(self.number) is signal.SIG_DFL:  # unlike the signal itself, it lets the program clean up
            raise SystemExit(self.code)
        signal.raise_signal(signal.Signals(self.number))


def _wake_main_thread() -> None:
    """Send SIGTERM to the main thread, which is heard by a stop: a wait is interrupted, too, where that can be."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    else:
        _thread.interrupt_main(signal.SIGTERM)


_current: Stop | None = None
"""The stop of the innermost block `interrupting`."""


def check() -> None:
    """Raise Stopped where a stop was asked for before: to be called in such a block before what takes long."""
    if _current is not None and _current.asked:
        raise Stopped


def further() -> tuple[signal.Signals, ...]:
    """The signals that the environment names. Raises VariableError where one is none, or cannot be heard."""
    names = [name for name in os.environ.get(NAMES, "").replace(",", " ").split() if name]
    return tuple(_find(name) for name in names)


def _find(name: str) -> signal.Signals:
    found = signal.Signals.__members__.get(f"SIG{name.upper().removeprefix('SIG')}")
    if found is None or found.name in ("SIGKILL", "SIGSTOP"):
        raise VariableError(f"{NAMES}: {name!r} is no signal that can be heard here: give names such as USR1,USR2")
    return found


def _may_replace(number: int, handler: object) -> bool:
    """Whether a handler can be replaced: Python can put it back, and the program does not ignore SIGTERM."""
    return handler is not None and not (number == signal.SIGTERM and handler is signal.SIG_IGN)
