"""What the command line says, and the exit codes that it ends with. All that reaches the terminal passes `Door`."""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from allmodes.experiments import logs
from allmodes.text import redact
from allmodes.text.printable import lines, printable

OK, FAILED, WRONG, KILLED = 0, 1, 2, 130
"""Done; failed; wrong input; interrupted."""


class Door(Console):
    """A console on which texts are what they are: no markup in them, and nothing that steers a terminal.

    Names, kinds, headers and messages come from files and packages of anybody. What is to be coloured is a `Text`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Spelled out before it is laid out, so that columns keep their widths; line breaks stay."""
        return super().render_str("\n".join(lines(text)), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Every other way to the terminal ends here: bars, tables, the help."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment("\n".join(lines(segment.text)), segment.style)


out, err = Door(), Door(stderr=True)
if not out.is_terminal:
    out.width = 10_000  # whoever reads a pipe finds each row of a table on one line


class Notes(logging.Handler):
    """Log lines on the terminal, between bars."""

    def emit(self, record: logging.LogRecord) -> None:
        """A dim line."""
        note(record.getMessage())


def begin() -> None:
    """A new command: it logs nothing yet, and says each warning once."""
    warnings.showwarning = _show_warning
    logs.end()
    _said.clear()


def say(line: str) -> None:
    """A line as it is, however long."""
    out.print(printable(line), soft_wrap=True)


def page(text: str) -> None:
    """A text of many lines, such as a spec, however long they are."""
    out.print(text, soft_wrap=True)


def note(line: str) -> None:
    """A dim line beside what a command gives."""
    err.print(Text(printable(line), "dim"), soft_wrap=True)


def warn(message: str) -> None:
    """A warning: on the terminal, between bars, or as a log line."""
    message = redact.text(message)
    if logs.speaks():
        logs.LOGGER.warning(message)
        return
    err.print(Text.assemble(("warning:", "yellow"), " ", printable(message)), soft_wrap=True)


def fail(message: str) -> None:
    """An error on the terminal, a line for each thing that is wrong."""
    for line in lines(redact.text(message)):
        err.print(Text.assemble(("error:", "red"), " ", line), soft_wrap=True)


def tell_defect(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
    """What Python says of an error that nobody expected, for `sys.excepthook`; its message may be of anywhere."""
    for text in traceback.format_exception(kind, error, place):
        sys.stderr.write("\n".join(lines(redact.text(text))))


_said: set[str] = set()
"""Warnings of this command that were shown: each is shown once."""


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """Ours are for the user; other libraries' deprecations are not."""
    if category is UserWarning and str(message) not in _said:
        _said.add(str(message))
        warn(str(message))
