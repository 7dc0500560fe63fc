"""A column of a text file: whether it holds numbers, and if not, what else."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from allmodes.data.base import DataError
from allmodes.data.description import counted, listed
from allmodes.data.files.cells import Writing, advice, looks_like_number, sort_of, unit_of

KEPT = 200
"""Cells that look like numbers and are kept to see how they are written."""
FEW = 3
"""Units that a column may have."""
SHOWN = 30
"""Letters of a cell that a message shows."""


@dataclass(eq=False)
class Column:
    """What is known of a column, chunk by chunk.

    Attributes:
        name: Its name in the header, or its number.
        place: Its position from 0.
        unnamed: Whether the header has an empty cell for it.
        writing: How numbers are written.
        values: Its numbers; NaN for every other cell.
        filled: Cells that are not missing.
        likely: Cells that are no number but look like one; with those of one unit, such as kg, see `units`.
        wrong: Cells that are no number and not missing.
    """

    name: str
    place: int
    unnamed: bool
    writing: Writing
    values: array[float] = field(default_factory=lambda: array("d"))
    filled: int = 0
    likely: int = 0
    wrong: int = 0
    _first: tuple[int, str] = (0, "")
    _likely: list[str] = field(default_factory=list)
    _sorts: Counter[str] = field(default_factory=Counter)
    _units: Counter[str] = field(default_factory=Counter)

    def add(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Take the cells of some rows."""
        try:
            numbers = self.writing.numbers(cells)
        except ValueError:
            numbers = [self._number(cell, line) for cell, line in zip(cells, lines, strict=True)]
        self.values.extend(numbers)
        self.filled += len(numbers) - int(np.isnan(numbers).sum())

    def doubtful(self, asked: bool) -> bool:
        """Whether it must not be passed over: it holds other things, but was asked for or looks mostly like numbers."""
        numbers = self.filled + self.likely + self.units
        return self.wrong > 0 and (asked or 2 * numbers >= self.filled + self.wrong)

    @property
    def units(self) -> int:
        """Cells that are a number with the most common unit; with a unit each, as in 1a and 2b, they are names."""
        return max(self._units.values(), default=0) if len(self._units) <= FEW else 0

    @property
    def learned(self) -> bool:
        """Whether it holds numbers and nothing else."""
        return self.filled > 0 and not self.wrong

    def is_index(self) -> bool:
        """Whether it is what a data frame writes before its columns: distinct whole numbers without a name."""
        values = np.frombuffer(self.values)
        whole = bool(np.isfinite(values).all() and (values == np.rint(values)).all())
        return (self.unnamed or self.name.startswith("Unnamed: ")) and whole and len(np.unique(values)) == len(values)

    @property
    def why(self) -> str:
        """The column and why it is not learned."""
        called = f"column {self.name}" if self.unnamed else f"column {self.name!r}"
        if not self.filled and not self.wrong:
            return f"{called} (empty)"
        if not self.wrong:
            return f"{called} (the index of a data frame)"
        what = self._sorts.most_common(1)[0][0]
        return f"{called} ({what} such as {_short(self._first[1])})"

    @property
    def complaint(self) -> str:
        """How many cells are no numbers, and the first."""
        line, cell = self._first
        return f"{self.name!r} {self.wrong:,} of {self.filled + self.wrong:,} (first in line {line}: {_short(cell)})"

    @property
    def advice(self) -> str:
        """What to do about it."""
        if self.likely + self.units < self.wrong:
            return "correct them, or list them in missing_values if they mean that a number is missing"
        return advice(self._likely) if not self.units else "write plain numbers such as 1234.5"

    def _number(self, cell: str, line: int) -> float:
        try:
            return self.writing.number(cell)
        except ValueError:
            self._note(cell, line)
            return float("nan")

    def _note(self, cell: str, line: int) -> None:
        self._first = self._first if self.wrong else (line, cell)
        self.wrong += 1
        if looks_like_number(cell):
            self.likely += 1
            if len(self._likely) < KEPT:
                self._likely.append(cell)
        else:
            self._sorts[sort_of(cell)] += 1
            if len(self._units) <= FEW and (unit := unit_of(cell)):
                self._units[unit] += 1


def refuse_doubtful(where: str, columns: Sequence[Column], asked: bool) -> None:
    """Refuse columns that hold numbers and other things.

    Raises:
        DataError: With every such column, how many cells are no numbers, the first, and what to do.
    """
    if columns:
        _refuse(where, columns, asked)


def _refuse(where: str, columns: Sequence[Column], asked: bool) -> NoReturn:
    each = listed([column.complaint for column in columns])
    remedies = dict.fromkeys(column.advice for column in columns)
    otherwise = "leave the column out of columns" if asked else "say which columns to learn with columns"
    have = f"{counted(len(columns), 'column')} with cells that are no numbers"
    raise DataError(f"data: {where} has {have}: {each}: {'; '.join(remedies)}; or {otherwise}")


def _short(cell: str) -> str:
    text = cell.strip()
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
