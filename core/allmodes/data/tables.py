"""CSV files of numbers; what is wrong is said with the line that an editor shows."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from allmodes.data.base import DataError
from allmodes.data.finite import FiniteData
from allmodes.data.sources import Keeping
from allmodes.data.vectors import Table, vectors
from allmodes.registry import did_you_mean

DELIMITERS = ",;\t|"
FIRST = 10
"""Lines that show what separates cells."""
LABEL = "label"
"""Column that holds the labels where none is named."""


@dataclass(frozen=True)
class Form:
    """How a CSV is written and what is read of it.

    Attributes:
        columns: Columns of numbers, or None for all that begin with one.
        label: Column of labels, or None for the one called `label`, if any.
        delimiter: Between cells, or `auto`.
        header: Whether the first line names the columns; else they are called 1, 2, 3.
    """

    columns: tuple[str, ...] | None = None
    label: str | None = None
    delimiter: str = "auto"
    header: bool = True


def csv_data(
    path: str, form: Form, held_out: float, test_path: str | None = None, standardise: bool = True
) -> FiniteData:
    """The rows of a CSV as data in memory.

    Raises:
        DataError: If the file, a column or a cell is not as it should be; the message names it.
    """
    train = read_csv(Path(path), form)
    test = None if test_path is None else read_csv(Path(test_path), _same(form, train))
    return vectors(train, test, held_out, standardise, Keeping("resident"))


def read_csv(path: Path, form: Form) -> Table:
    """A CSV's numbers and labels.

    Raises:
        DataError: As above.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _Reading(path, form, file).table()
    except OSError as error:
        raise DataError(f"data: {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"data: {path} is not text in UTF-8: save it as CSV in UTF-8") from None


def chosen(wanted: Sequence[str] | None, have: Sequence[str], numeric: Sequence[str], where: object) -> tuple[str, ...]:
    """The columns that are read: those wanted, or all numeric ones.

    Raises:
        DataError: If one is not there, or there are none.
    """
    refuse_unknown(wanted or (), have, where)
    columns = tuple(numeric if wanted is None else wanted)
    if not columns:
        raise DataError(f"data: {where} has no column of numbers; it has {', '.join(have)}")
    return columns


def refuse_unknown(names: Iterable[str], have: Sequence[str], where: object) -> None:
    """Refuse columns that are not there, and say which are."""
    for name in names:
        if name not in have:
            known = f"it has {', '.join(have)}"
            raise DataError(f"data: {where} has no column {name!r}{did_you_mean(name, have)}; {known}")


def label_of(wanted: str | None, columns: Sequence[str] | None, have: Sequence[str], where: object) -> str | None:
    """The column of labels: that wanted, or the one called `label` unless it is read as a number."""
    if wanted is not None:
        refuse_unknown([wanted], have, where)
    implied = LABEL if LABEL in have and LABEL not in (columns or ()) else None
    return wanted or implied


class _Reading:
    """One pass over a file."""

    def __init__(self, path: Path, form: Form, file: Any) -> None:
        self.path, self.form = path, form
        delimiter = _delimiter(list(islice(file, FIRST))) if form.delimiter == "auto" else form.delimiter
        file.seek(0)
        self.lines = csv.reader(file, delimiter=delimiter)
        self.records = self._records()

    def table(self) -> Table:
        """All rows, the first of which decides which columns are numbers."""
        first = next(self.records, None)
        if first is None:
            raise DataError(f"data: {self.path} is empty")
        have = [name.strip() for name in first] if self.form.header else [str(i + 1) for i in range(len(first))]
        self._refuse_twice(have)
        first = next(self.records, None) if self.form.header else first
        if first is None:
            raise DataError(f"data: {self.path} has a header but no rows")
        self.label = label_of(self.form.label, self.form.columns, have, self.path)
        self.columns = chosen(self.form.columns, have, self._numeric(have, first), self.path)
        return self._rows(have, first)

    def _rows(self, have: Sequence[str], cells: list[str] | None) -> Table:
        places = [have.index(name) for name in self.columns]
        label = None if self.label is None else have.index(self.label)
        values, lines, labels = array("d"), array("q"), list[str]()
        while cells is not None:
            if len(cells) != len(have):
                raise DataError(f"data: {self._line()} has {len(cells)} cells, but there are {len(have)} columns")
            try:
                values.extend([float(cells[i]) for i in places])
            except ValueError:
                self._refuse_text([cells[i] for i in places])
            lines.append(self.lines.line_num)
            labels += [] if label is None else [self._label(cells[label])]
            cells = next(self.records, None)
        x = np.frombuffer(values).reshape(-1, len(places))
        self._refuse_infinite(x, lines)
        return Table(str(self.path), x, self.columns, None if label is None else labels)

    def _records(self) -> Iterator[list[str]]:
        """Lines with something on them."""
        try:
            yield from (cells for cells in self.lines if cells)
        except csv.Error as error:
            raise DataError(f"data: {self._line()}: {error}") from None

    def _numeric(self, have: Sequence[str], cells: Sequence[str]) -> list[str]:
        """Columns that begin with a number or with nothing, which is refused later."""
        pairs = zip(have, cells, strict=False)
        return [name for name, cell in pairs if name != self.label and (not cell.strip() or _is_number(cell))]

    def _label(self, cell: str) -> str:
        if not cell.strip():
            where = f"{self._line()}, column {self.label!r}"
            raise DataError(f"data: {where}: the label is missing: fill it in, or leave the row out")
        return cell.strip()

    def _line(self, number: int | None = None) -> str:
        return f"{self.path}, line {number or self.lines.line_num}"

    def _refuse_twice(self, have: Sequence[str]) -> None:
        for name in have:
            if have.count(name) > 1:
                raise DataError(f"data: {self.path} names the column {name!r} twice: rename one")

    def _refuse_text(self, cells: Sequence[str]) -> NoReturn:
        name, cell = next(pair for pair in zip(self.columns, cells, strict=True) if not _is_number(pair[1]))
        what = f"{cell!r} is no number" if cell.strip() else "the cell is empty"
        hint = " (decimals take a point)" if _is_number(cell.replace(",", ".")) else ""
        raise DataError(f"data: {self._line()}, column {name!r}: {what}{hint}: {REMEDY}")

    def _refuse_infinite(self, x: np.ndarray[Any, Any], lines: Sequence[int]) -> None:
        for row, column in np.argwhere(~np.isfinite(x))[:1]:
            where = f"{self._line(lines[row])}, column {self.columns[column]!r}"
            raise DataError(f"data: {where}: {x[row, column]} is no finite number: {REMEDY}")


REMEDY = "correct the cell, or leave the row or the column out"


def _same(form: Form, train: Table) -> Form:
    """How a test file is read: the columns of the training file."""
    label = form.label or (LABEL if train.labels is not None else None)
    return Form(train.columns, label, form.delimiter, form.header)


def _delimiter(lines: Sequence[str]) -> str:
    """The one that gives the first lines equally many cells, and the most."""

    def score(delimiter: str) -> tuple[bool, int]:
        cells = [len(record) for record in csv.reader(lines, delimiter=delimiter) if record] or [0]
        return cells[0] > 1 and len(set(cells)) == 1, cells[0]

    return max(DELIMITERS, key=score)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
