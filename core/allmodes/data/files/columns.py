"""A column of a text file: its numbers, and the cells that hold something else."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from allmodes.data.base import DataError
from allmodes.data.description import counted, listed
from allmodes.data.files.cells import NumberFormat, advice, looks_like_number, settings, sort_of, unit_of

KEPT = 200
"""Cells that look like numbers and are kept to see how they are written."""
FEW = 3
"""Units that a column may have."""
SHOWN = 30
"""Letters of a cell that a message shows."""


@dataclass(eq=False)
class Column:
    """A column that is read chunk by chunk.

    Attributes:
        name: Its name in the header, or its number.
        place: Its position from 0.
        unnamed: Whether the header has an empty cell for it.
        format: How numbers are written.
        values: Its numbers; NaN for every other cell.
        filled: Cells that are not missing.
        likely: Cells that only look like a number; for those with a unit, such as kg, see `units`.
        wrong: Cells that are neither a number nor missing.
    """

    name: str
    place: int
    unnamed: bool
    format: NumberFormat
    values: array[float] = field(default_factory=lambda: array("d"))
    filled: int = 0
    likely: int = 0
    wrong: int = 0
    _first: tuple[int, str] = (0, "")
    _likely: list[str] = field(default_factory=list)
    _kinds: Counter[str] = field(default_factory=Counter)
    _units: Counter[str] = field(default_factory=Counter)

    def add(self, cells: Sequence[str], lines: Sequence[int]) -> None:
        """Take the cells of some rows."""
        try:
            numbers = self.format.parse_all(cells)
        except ValueError:
            numbers = [self._parse(cell, line) for cell, line in zip(cells, lines, strict=True)]
        self.values.extend(numbers)
        self.filled += len(numbers) - int(np.isnan(numbers).sum())

    def is_doubtful(self, asked: bool) -> bool:
        """Whether it holds other things, but was asked for or looks mostly like numbers."""
        numbers = self.filled + self.likely + self.units
        return self.wrong > 0 and (asked or 2 * numbers >= self.filled + self.wrong)

    @property
    def units(self) -> int:
        """Cells that are a number with the most common unit; with a unit each, as in 1a and 2b, they are names."""
        return max(self._units.values(), default=0) if len(self._units) <= FEW else 0

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers and nothing else."""
        return self.filled > 0 and not self.wrong

    def is_index(self) -> bool:
        """Whether it is the index of a data frame: distinct whole numbers without a name."""
        values = np.frombuffer(self.values)
        whole = bool(np.isfinite(values).all() and (values == np.rint(values)).all())
        return (self.unnamed or self.name.startswith("Unnamed: ")) and whole and len(np.unique(values)) == len(values)

    @property
    def why(self) -> str:
        """Describe the column and the reason why it is not learned."""
        called = f"column {self.name}" if self.unnamed else f"column {self.name!r}"
        if not self.filled and not self.wrong:
            return f"{called} (empty)"
        if not self.wrong:
            return f"{called} (the index of a data frame)"
        what = self._kinds.most_common(1)[0][0]
        return f"{called} ({what} such as {_short(self._first[1])})"

    @property
    def complaint(self) -> str:
        """Number of cells that are not numbers, and the first."""
        line, cell = self._first
        return f"{self.name!r} {self.wrong:,} of {self.filled + self.wrong:,} (first in line {line}: {_short(cell)})"

    @property
    def advice(self) -> str:
        """Advice on its cells."""
        if self.likely + self.units < self.wrong:
            return "correct them, or list them in missing_values if they mean that a number is missing"
        return advice(self._likely) if not self.units else "write plain numbers such as 1234.5"

    @property
    def settings(self) -> dict[str, str]:
        """The options that read all of its cells, where there is one way only; else none."""
        return settings(self._likely) if self.likely == self.wrong and self._likely else {}

    def _parse(self, cell: str, line: int) -> float:
        try:
            return self.format.parse(cell)
        except ValueError:
            self._count(cell, line)
            return float("nan")

    def _count(self, cell: str, line: int) -> None:
        self._first = self._first if self.wrong else (line, cell)
        self.wrong += 1
        if looks_like_number(cell):
            self.likely += 1
            if len(self._likely) < KEPT:
                self._likely.append(cell)
        else:
            self._kinds[sort_of(cell)] += 1
            if len(self._units) <= FEW and (unit := unit_of(cell)):
                self._units[unit] += 1


def check_doubtful(where: str, columns: Sequence[Column], asked: bool) -> None:
    """Refuse columns that hold numbers and other things.

    Raises:
        DataError: With every such column, how many cells are not numbers, the first, and what to do.
    """
    if columns:
        each = listed([column.complaint for column in columns])
        remedies = dict.fromkeys(column.advice for column in columns)
        otherwise = "leave the column out of columns" if asked else "set columns to those to learn"
        have = f"{counted(len(columns), 'column')} with cells that are not numbers"
        what = f"data: {where} has {have}: {each}: {'; '.join(remedies)}; or {otherwise}"
        ways = [column.settings for column in columns]
        raise DataError(what, ways[0] if all(way == ways[0] for way in ways) else None)


def _short(cell: str) -> str:
    text = cell.strip()
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
