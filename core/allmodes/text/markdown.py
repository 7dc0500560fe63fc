"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table whose first column is aligned left and all others right; ends with a line break."""
    rule = f"|---|{'---:|' * (len(header) - 1)}\n"
    return _line(header) + rule + "".join(map(_line, rows))


def _line(cells: Sequence[str]) -> str:
    return "".join(f"| {escape(cell)} " for cell in cells) + "|\n"


def escape(cell: str) -> str:
    """Escape what Markdown would read as the end of a cell or as HTML."""
    return cell.replace("|", r"\|").replace("<", "&lt;").replace("\n", " ")
