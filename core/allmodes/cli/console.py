"""The terminal: lines, warnings and errors that a command prints, and its exit codes."""

from __future__ import annotations

import logging
import sys
import textwrap
import traceback
import warnings
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text
from typing_extensions import override

from allmodes.system import log
from allmodes.text import redact
from allmodes.text.printable import lines, printable

OK, FAILED, WRONG, KILLED = 0, 1, 2, 130
"""Done; failed; wrong input; interrupted."""


class PlainConsole(Console):
    """A console without markup, on which control characters are spelled out.

    Names, kinds, headers and messages come from files and packages of anybody. Only a `Text` is coloured.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    @override
    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str("\n".join(lines(text)), **options)  # before the layout, so columns keep their widths

    @override
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):  # also of bars, tables and the help
            yield segment if segment.control else Segment("\n".join(lines(segment.text)), segment.style)


out, err = PlainConsole(), PlainConsole(stderr=True)
if not out.is_terminal:
    out.width = 10_000  # a row of a table is one line of a pipe


class RichLogHandler(logging.Handler):
    """Prints records between progress bars."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        print_note(record.getMessage())


def reset() -> None:
    """Prepare for a new command: without a log, each warning printed once."""
    warnings.showwarning = _show_warning
    log.stop()
    log.LOGGER.disabled = False
    _warnings.clear()
    out.quiet = err.quiet = False


def hush() -> None:
    """Print nothing: another process of the same command does."""
    out.quiet = err.quiet = True
    log.LOGGER.disabled = True


def print_line(line: str) -> None:
    """Print a line, however long, without wrapping."""
    out.print(printable(line), soft_wrap=True)


def print_text(text: str) -> None:
    """Print several lines, such as a spec, without wrapping."""
    out.print(text, soft_wrap=True)


def print_aligned(rows: Sequence[tuple[str, str]]) -> None:
    """Print names with their descriptions side by side; on a terminal, long ones are folded within their column."""
    left = max((len(printable(name)) for name, _ in rows), default=0) + 2
    width = max(out.width - left, 20) if out.is_terminal else 10**6
    for name, description in rows:
        first, *more = textwrap.wrap(printable(description), width) or [""]
        out.print(Text.assemble((f"{printable(name):{left}}", "bold"), first), soft_wrap=True)
        for line in more:
            out.print(" " * left + line, soft_wrap=True)


def print_note(line: str) -> None:
    """Print a dim line to standard error."""
    err.print(Text(printable(line), "dim"), soft_wrap=True)


def print_warning(message: str) -> None:
    """Print a warning, or log it if there is a log."""
    message = redact.text(message)
    if log.is_started():
        log.LOGGER.warning(message)
        return
    err.print(Text.assemble(("warning:", "yellow"), " ", printable(message)), soft_wrap=True)


def print_error(message: str) -> None:
    """Print an error, with a prefix on each of its lines."""
    for line in lines(redact.text(message)):
        err.print(Text.assemble(("error:", "red"), " ", line), soft_wrap=True)


def print_traceback(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
    """Print the traceback of an unexpected error, as `sys.excepthook`; its message may hold any characters."""
    for text in traceback.format_exception(kind, error, place):
        sys.stderr.write("\n".join(lines(redact.text(text))))


_warnings: set[str] = set()
"""Warnings of this command that were printed."""


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """Print warnings of allmodes, but not deprecations of other libraries."""
    if category is UserWarning and str(message) not in _warnings:
        _warnings.add(str(message))
        print_warning(str(message))
