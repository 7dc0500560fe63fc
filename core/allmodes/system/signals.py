"""The signals that end a run: Ctrl-C, SIGTERM, and those of the environment, as clusters send before the end."""

from __future__ import annotations

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


class Stop:
    """A request to stop by a signal, after the turn in progress; a second Ctrl-C interrupts at once.

    Attributes:
        asked: Whether a signal came.
        number: Of the signal, other than Ctrl-C, that asks the whole program to end, not only the run in progress.
    """

    def __init__(self) -> None:
        self.asked, self.number = False, 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal. A second SIGTERM changes nothing: a process may get one for its group and one for itself."""
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
        self.number = self.number or (0 if number == signal.SIGINT else number)

    @property
    def terminated(self) -> bool:
        """Whether a signal asks the whole program to end."""
        return self.number != 0

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
            raise SystemExit(128 + self.number if self.number == signal.SIGTERM else AGAIN)
        signal.raise_signal(signal.Signals(self.number))


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
