"""The first rows of a table: which columns hold numbers, words, dates, or count the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from allmodes.data.base import DataError
from allmodes.data.files import csv_files, parquet
from allmodes.data.files.cells import MISSING, is_number, looks_like_number, sort_of
from allmodes.data.files.csv_files import CsvFormat
from allmodes.system.paths import homely

ROWS = 5000
"""Rows that are looked at."""
COUNTED = 20
"""Rows from which on a column can be told to count them."""
SHOWN = 30
"""Letters of a cell that is shown."""


@dataclass(frozen=True)
class Glimpse:
    """The first rows of a table.

    Attributes:
        cells: By column, the cells that are not missing, as text.
        nested: Types of the columns that hold lists and the like.
        rows: How many rows were looked at.
    """

    cells: Mapping[str, Sequence[str]] = field(default_factory=dict)
    nested: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        return [*self.cells, *self.nested]

    def holds_words(self, column: str) -> bool:
        """Whether a column holds words: neither numbers, nor dates, nor nothing."""
        cells = set(self.cells.get(column, ()))
        return bool(cells) and not any(is_number(cell) or looks_like_number(cell) or _is_date(cell) for cell in cells)

    def counts_rows(self, column: str) -> bool:
        """Whether a column only counts the rows: whole numbers, each one more than that before."""
        cells = self.cells.get(column, ())
        if len(cells) < max(COUNTED, self.rows) or not all(cell.isdecimal() for cell in cells):
            return False
        return [int(cell) - int(cells[0]) for cell in cells] == list(range(len(cells)))

    def describe(self, column: str) -> str:
        """A column that holds no numbers, and what it holds; empty for one of numbers."""
        if column in self.nested:
            return f"column {column!r} ({self.nested[column]})"
        cells = self.cells.get(column, ())
        if not cells:
            return f"column {column!r} (empty)"
        other = next((cell for cell in cells if not is_number(cell) and not looks_like_number(cell)), "")
        return f"column {column!r} ({sort_of(other)} such as {other[:SHOWN]!r})" if other else ""


def glimpse(block: Mapping[str, Any]) -> Glimpse:
    """Read the first rows of the table of a data's block; empty for other kinds, and where they cannot be read."""
    path = homely(block["path"]) if "path" in block else ""
    try:
        if block["kind"] == "csv":
            options = {key: block[key] for key in ("delimiter", "header", "encoding") if key in block}
            cells, nested = csv_files.first_rows(path, CsvFormat(**options), ROWS), dict[str, str]()
        elif block["kind"] == "parquet" and "image" not in block:
            cells, nested = parquet.first_rows(path, ROWS)
        else:
            return Glimpse()
    except DataError:  # whose reader says it better
        return Glimpse()
    filled = {name: [cell for cell in inside if cell.lower() not in MISSING] for name, inside in cells.items()}
    return Glimpse(filled, nested, max(map(len, cells.values()), default=0))


def _is_date(cell: str) -> bool:
    return sort_of(cell) == "dates or times"
