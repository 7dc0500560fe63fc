"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table whose first column is aligned left and all others right; ends with a line break."""
    rule = f"|---|{'---:|' * (len(header) - 1)}\n"
    return _line(header) + rule + "".join(map(_line, rows))


def _line(cells: Sequence[str]) -> str:
    return "".join(f"| {_escape(cell)} " for cell in cells) + "|\n"


def _escape(cell: str) -> str:
    return cell.replace("|", r"\|").replace("<", "&lt;").replace("\n", " ")
