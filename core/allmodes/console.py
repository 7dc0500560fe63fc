"""What the command line says, and the exit codes that it ends with."""

from __future__ import annotations

import logging
import warnings

from rich.console import Console
from rich.markup import escape

from allmodes import hiding, logs

OK, FAILED, WRONG, KILLED = 0, 1, 2, 130
"""Done; failed; wrong input; interrupted."""

out, err = Console(), Console(stderr=True)
if not out.is_terminal:
    out.width = 10_000  # whoever reads a pipe finds each row of a table on one line


class Notes(logging.Handler):
    """Log lines on the terminal, between bars."""

    def emit(self, record: logging.LogRecord) -> None:
        """A dim line."""
        err.print(f"[dim]{escape(record.getMessage())}[/]", highlight=False, soft_wrap=True)


def begin() -> None:
    """A new command: it logs nothing yet, and says each warning once."""
    warnings.showwarning = _show_warning
    logs.end()
    _said.clear()


def say(line: str) -> None:
    """A line as it is, however long."""
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def warn(message: str) -> None:
    """A warning: on the terminal, between bars, or as a log line."""
    message = hiding.text(message)
    if logs.speaks():
        logs.LOGGER.warning(message)
        return
    err.print(f"[yellow]warning:[/] {escape(message)}", highlight=False, soft_wrap=True)


def fail(message: str) -> None:
    """An error on the terminal, a line for each thing that is wrong."""
    for line in hiding.text(message).splitlines() or [""]:
        err.print(f"[red]error:[/] {escape(line)}", highlight=False, soft_wrap=True)


_said: set[str] = set()
"""Warnings of this command that were shown: each is shown once."""


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """Ours are for the user; other libraries' deprecations are not."""
    if category is UserWarning and str(message) not in _said:
        _said.add(str(message))
        warn(str(message))
