"""Missing and infinite numbers: counted by column, then refused, or left out with their rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from allmodes.data.base import DataError
from allmodes.data.description import counted, listed

Missing: TypeAlias = Literal["refuse", "leave_out"]
"""Policy for items with a missing or infinite number."""
Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
Positions: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]


@dataclass
class Gaps:
    """Missing and infinite cells of a table, counted chunk by chunk.

    Attributes:
        name: What messages call the rows.
        rows: How many there are.
        where: What messages call a row by its position: `line 4`, `item 5`.
        remedy: Advice on them.
        named: Whether columns are named, and can be left out one by one.
    """

    name: str
    rows: int
    where: Callable[[int], str]
    remedy: str = "correct them, or set missing: leave_out to learn from the others"
    named: bool = False
    _bad: Mask = field(init=False)
    _columns: dict[str, tuple[int, int]] = field(default_factory=dict)  # cells, and the first's position
    _kinds: set[str] = field(default_factory=set)
    _names: Sequence[str] = ()

    def __post_init__(self) -> None:
        self._bad = np.zeros(self.rows, dtype=bool)

    def count(self, columns: Sequence[str], cells: np.ndarray[Any, Any], first: int = 0) -> None:
        """Count in rows (n, F), of which the first is at position `first`."""
        self._names = columns
        if (bad := ~np.isfinite(cells)).any():
            self._kinds |= {"missing"} if np.isnan(cells).any() else set()
            self._kinds |= {"infinite"} if np.isinf(cells).any() else set()
            for i in np.flatnonzero(bad.any(0)).tolist():
                self._add(columns[i], bad[:, i], first)

    def count_labels(self, column: str, labels: Sequence[str]) -> None:
        """Count labels that are the empty text."""
        if (bad := np.array([not label for label in labels], dtype=bool)).any():
            self._kinds.add("missing")
            self._add(column, bad, 0)

    def complete_rows(self, missing: Missing) -> Positions | None:
        """Positions of the rows without any, or None for all.

        Raises:
            DataError: If something is missing and is not to be left out, or nothing else is left.
        """
        if not self._columns:
            return None
        if missing == "refuse":
            raise DataError(f"data: {self._found()}: {self.remedy}", self._settings())
        if self._bad.all():
            raise DataError(f"data: {self._found()}, which leaves none to learn from: correct them")
        return np.flatnonzero(~self._bad)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Description of the rows that were left out."""
        if not self._columns:
            return ()
        each = [f"{column!r} {cells:,}" for column, (cells, _) in self._columns.items()]
        return (f"{counted(int(self._bad.sum()), 'row')} with {self._kind} cells ({listed(each)})",)

    @property
    def _kind(self) -> str:
        return " or ".join(sorted(self._kinds, reverse=True))

    def _add(self, column: str, bad: Mask, first: int) -> None:
        cells, at = self._columns.get(column, (0, first + int(bad.argmax())))
        self._columns[column] = (cells + int(bad.sum()), at)
        self._bad[first : first + len(bad)] |= bad

    def _settings(self) -> dict[str, Any]:
        """The settings that keep most: without the rows, or without the columns of which most is missing."""
        if 2 * int(self._bad.sum()) <= self.rows:
            return {"missing": "leave_out"}
        sparse = {name for name, (cells, _) in self._columns.items() if 2 * cells > self.rows}
        others = [name for name in self._names if name not in sparse]
        if sparse and others and self.named:
            return {"columns": others}
        return {} if self._bad.all() else {"missing": "leave_out"}

    def _found(self) -> str:
        each = [f"{column!r} has {cells:,} (first: {self.where(at)})" for column, (cells, at) in self._columns.items()]
        share = f"{int(self._bad.sum()):,} of {counted(self.rows, 'row')}"
        return f"{self.name} has {self._kind} cells in {share}: {listed(each)}"
