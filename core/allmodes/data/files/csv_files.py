"""CSV files of numbers; what is wrong is said with the line that an editor shows."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import IO, Literal, NoReturn

import numpy as np

from allmodes.data.base import DataError
from allmodes.data.description import counted, listed
from allmodes.data.files.cells import Writing, is_number, looks_like_number
from allmodes.data.files.columns import Column, refuse_doubtful
from allmodes.data.files.labels import without_missing
from allmodes.data.files.missing import Missing
from allmodes.data.files.storage import StoragePolicy
from allmodes.data.files.texts import opened
from allmodes.data.files.vectors import Table, vectors
from allmodes.data.finite import FiniteData
from allmodes.text.suggest import did_you_mean

DELIMITERS = ",;\t| "
FIRST = 50
"""Lines that show what separates cells."""
CHUNK = 1000
"""Rows that are looked at at a time."""
LABEL = "label"
"""Column that holds the labels where none is named."""
LARGEST = 2**26
"""Letters of a cell; a longer one is a quote that was never closed, or an attack."""


@dataclass(frozen=True)
class Form:
    """How a CSV is written and what is read of it.

    Attributes:
        columns: Columns of numbers, or None for all.
        label: Column of labels, or None for the one called `label`, if any.
        delimiter: Between cells, or `auto`.
        header: Whether the first line names the columns (else they are called 1, 2, 3), or `auto`: it does, and a first
            line that looks like data is refused.
        writing: How numbers are written.
        encoding: Of the text, or `auto`: UTF-8, or what a byte-order mark says.
    """

    columns: tuple[str, ...] | None = None
    label: str | None = None
    delimiter: str = "auto"
    header: bool | Literal["auto"] = "auto"
    writing: Writing = field(default_factory=Writing)
    encoding: str = "auto"


def csv_data(
    path: str,
    form: Form,
    held_out: float,
    test_path: str | None = None,
    standardise: bool = True,
    missing: Missing = "refuse",
) -> FiniteData:
    """The rows of a CSV as data in memory.

    Raises:
        DataError: If the file, a column or a cell is not as it should be; the message names it.
    """
    train = read_csv(Path(path), form)
    test = None if test_path is None else read_csv(Path(test_path), _same(form, train))
    return vectors(train, test, held_out, standardise, StoragePolicy("resident"), missing)


def read_csv(path: Path, form: Form) -> Table:
    """A CSV's numbers and labels.

    Raises:
        DataError: As above.
    """
    csv.field_size_limit(max(LARGEST, csv.field_size_limit()))
    with opened(path, form.encoding) as file:
        return _Reading(path, form, file).table()


def chosen(wanted: Sequence[str] | None, have: Sequence[str], numeric: Sequence[str], where: object) -> tuple[str, ...]:
    """The columns that are read: those wanted, or all numeric ones.

    Raises:
        DataError: If one is not there, or there are none.
    """
    refuse_unknown(wanted or (), have, where)
    columns = tuple(numeric if wanted is None else wanted)
    if not columns:
        raise DataError(f"data: {where} has no column of numbers; it has {listed(have)}")
    return columns


def refuse_unknown(names: Iterable[str], have: Sequence[str], where: object) -> None:
    """Refuse columns that are not there, and say which are."""
    for name in names:
        if name not in have:
            known = f"it has {listed(have)}"
            raise DataError(f"data: {where} has no column {name!r}{did_you_mean(name, have)}; {known}")


def label_of(wanted: str | None, columns: Sequence[str] | None, have: Sequence[str], where: object) -> str | None:
    """The column of labels: that wanted, or the one called `label`, in any case, unless it is read as a number."""
    if wanted is not None:
        refuse_unknown([wanted], have, where)
        return wanted
    called = [name for name in have if name.lower() == LABEL and name not in (columns or ())]
    return LABEL if LABEL in called else called[0] if len(called) == 1 else None


class _Reading:
    """One pass over a file."""

    def __init__(self, path: Path, form: Form, file: IO[str]) -> None:
        self.path, self.form = path, form
        head = list(islice(file, FIRST))
        head[:1] = [line.removeprefix("\ufeff") for line in head[:1]]  # an encoding that was named leaves the mark
        if any("\0" in line for line in head):
            raise DataError(f"data: {path} is not text in UTF-8: save it so, or set encoding, such as utf-16-le")
        self.skipped, separator, self.comment = _preamble(head)
        head = head[self.skipped :]
        self.delimiter = form.delimiter if form.delimiter != "auto" else separator or delimiter_of(head)
        self.row_names = has_row_names(head, self.delimiter)
        self.lines = csv.reader(chain(head, file), delimiter=self.delimiter, skipinitialspace=True, strict=True)
        self.records = self._records()

    def table(self) -> Table:
        """All rows."""
        self.names, first = self._names()
        self._refuse_twice()
        form = self.form
        self.label = label_of(form.label, form.columns, self.names, self.path)
        refuse_unknown(form.columns or (), self.names, self.path)
        wanted = [name for name in self.names if name != self.label] if form.columns is None else form.columns
        columns = [Column(name, self.names.index(name), self.unnamed(name), form.writing) for name in wanted]
        lines, labels, left_out = self._rows(columns, first)
        learned = self._learned(columns)
        left_out = (*(column.why for column in columns if column not in learned), *left_out)
        x = np.stack([np.frombuffer(column.values) for column in learned], 1)
        table = Table(str(self.path), x, tuple(column.name for column in learned), left_out=left_out)
        where = lambda row: f"line {lines[row]}"  # noqa: E731
        return replace(table, labels=labels, label=self.label or "", where=where)

    def unnamed(self, name: str) -> bool:
        """Whether the header gives a column no name."""
        return name == str(self.names.index(name) + 1) and self.named

    # Header

    def _names(self) -> tuple[list[str], list[str]]:
        """The columns' names, and the first row of data."""
        first = next(self.records, None)
        if first is None:
            raise DataError(f"data: {self.path} is empty")
        header = self._commented(first) if self.form.header == "auto" else None
        self.named = self.form.header is not False
        if self.named and header is None:
            self.header_line, header, first = self._number(), first, next(self.records, None)
            header = ["", *header] if self.row_names else header
            if first and len(first) < len(header):
                header = list(_trimmed(header))
        else:
            self.header_line = 0
        if first is None:
            raise DataError(f"data: {self.path} has a header but no rows")
        return [(name.strip() or str(i)) for i, name in enumerate(header or [""] * len(first), 1)], first

    def _commented(self, first: Sequence[str]) -> list[str] | None:
        """Names that a comment before the data holds, as NumPy writes them."""
        names = next(csv.reader([self.comment], delimiter=self.delimiter, skipinitialspace=True), [])
        fits = len(names) == len(first) and any(map(is_number, first)) and not any(map(is_number, names))
        return names if fits else None

    def _refuse_twice(self) -> None:
        used = [*(self.form.columns or self.names), *([self.form.label] if self.form.label else [])]
        for name in used:
            if self.names.count(name) > 1 and self.named:
                if self._looks_like_data([name]):
                    self._refuse_header()
                *most, last = [str(i) for i, other in enumerate(self.names, 1) if other == name]
                where = f"{_times(len(most) + 1)} (columns {', '.join(most)} and {last})"
                raise DataError(f"data: {self.path} names the column {name!r} {where}: rename one")

    def _looks_like_data(self, names: Sequence[str]) -> bool:
        """Whether all names of columns of numbers are numbers themselves."""
        guessed = self.form.header == "auto" and self.header_line > 0
        return guessed and bool(names) and all(is_number(name) or looks_like_number(name) for name in names)

    def _refuse_header(self) -> NoReturn:
        have = f"{self.path}, line {self.header_line} looks like data ({listed(self.names, 4)})"
        remedy = "set header: false, or header: true if it does name them"
        raise DataError(f"data: {have} and not like names of columns: {remedy}")

    # Rows

    def _rows(self, columns: Sequence[Column], first: list[str]) -> tuple[list[int], list[str] | None, tuple[str, ...]]:
        """Fill the columns; returns the rows' lines and labels, and what is said of empty rows."""
        place = None if self.label is None else self.names.index(self.label)
        lines, labels, empty = list[int](), list[str](), list[int]()
        for rows in _chunks(chain([(self._number(), first)], ((self._number(), row) for row in self.records))):
            blank = [line for line, row in rows if not "".join(row).strip()]
            kept = [(line, row) for line, row in rows if line not in blank] if blank else rows
            here, cells = [line for line, _ in kept], list(zip(*(self._fitting(*row) for row in kept), strict=True))
            for column in columns if cells else ():
                column.add(cells[column.place], here)
            labels += [] if place is None or not cells else map(str.strip, cells[place])
            lines += here
            empty += blank
        if not lines:
            raise DataError(f"data: {self.path} has a header but no rows")
        return lines, None if place is None else self._known(labels), _said_of(empty, lines[-1])

    def _known(self, labels: Sequence[str]) -> list[str]:
        """Labels, with the empty text for missing ones."""
        missing = self.form.writing.missing
        return without_missing(["" if label in missing else label for label in labels])

    def _fitting(self, line: int, row: list[str]) -> list[str]:
        """A row of as many cells as there are columns; what is more and empty is a separator at the end of the line."""
        wide = len(self.names)
        if len(row) > wide and not any(cell.strip() for cell in row[wide:]):
            return row[:wide]
        if len(row) != wide:
            cells, columns = counted(len(row), "cell"), counted(wide, "column")
            have = f"data: {self.path}, line {line} has {cells}, but there are {columns}"
            commas = self.delimiter == "," and len(row) == 2 * wide and all(map(str.isdigit, row))
            hint = ": are decimals written with a comma? Then separate the cells by semicolons" if commas else ""
            raise DataError(have + hint)
        return row

    def _learned(self, columns: Sequence[Column]) -> Sequence[Column]:
        """The columns of numbers: those that were asked for, or all that hold nothing else."""
        asked = self.form.columns is not None
        refuse_doubtful(str(self.path), [column for column in columns if column.doubtful(asked)], asked)
        learned = [column for column in columns if column.learned]
        if self._looks_like_data([column.name for column in learned if not column.unnamed]):
            self._refuse_header()
        if not asked:
            learned = self._without_index(learned)
        if not learned:
            have = listed([column.why for column in columns])
            raise DataError(f"data: {self.path} has no column of numbers; it has {have}")
        return learned

    def _without_index(self, learned: Sequence[Column]) -> list[Column]:
        """Without the index that a data frame writes first; another column of numbers without a name is refused."""
        index = 0
        while index < len(learned) - 1 and learned[index].place == index and learned[index].is_index():
            index += 1
        for column in learned[index:]:
            if column.unnamed:
                raise DataError(
                    f"data: {self.path}: column {column.name} holds numbers but has no name: name it in line "
                    f"{self.header_line}, or say which columns to learn with columns"
                )
        return list(learned[index:])

    def _records(self) -> Iterator[list[str]]:
        """Lines with something on them."""
        begins = self._number() + 1
        try:
            for cells in self.lines:
                begins = self._number() + 1
                if cells:
                    yield cells
        except csv.Error as error:
            raise DataError(f"data: {self.path}, line {begins}: {_quotes(str(error))}") from None

    def _number(self) -> int:
        return self.skipped + self.lines.line_num


def delimiter_of(lines: Sequence[str]) -> str:
    """The one that gives the first lines equally many cells, the most, and the most numbers."""

    def score(delimiter: str) -> tuple[bool, bool, bool, int, int]:
        reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        records = [record for record in islice(reader, 10) if record]
        wide, alike = _width(records[: -1 if len(records) > 2 else None])
        if not alike and has_row_names(lines, delimiter):
            wide, alike = wide + 1, True
        numbers = sum(map(looks_like_number, chain(*records)))
        splits = wide > 1 and 2 * sum(len(record) > 1 for record in records) > len(records)
        return alike and wide > 1, splits and delimiter != " ", alike, 0 if delimiter == " " else wide, numbers

    return max(DELIMITERS, key=score)


def has_row_names(lines: Sequence[str], delimiter: str) -> bool:
    """Whether rows begin with a quoted name that the header does not count, as R's `write.table` has it."""
    records = list(islice(csv.reader(lines, delimiter=delimiter, skipinitialspace=True), 10))
    wide = len(records[0]) if records else 0
    quoted = len(lines) > 1 and lines[1].startswith('"') and delimiter in " \t"
    return quoted and all(len(record) == wide + 1 for record in records[1:] if record)


def _width(records: Sequence[Sequence[str]]) -> tuple[int, bool]:
    """Cells of a line, and whether all lines have as many, but for an empty one at the end."""
    for wide in (len(_trimmed(records[0])), len(records[0])) if records else ():
        if all(len(record) == wide or len(_trimmed(record)) == wide for record in records):
            return wide, True
    return len(records[0]) if records else 0, False


def _trimmed(record: Sequence[str]) -> Sequence[str]:
    """Without the empty cell that a separator at the end of the line makes."""
    return record[:-1] if len(record) > 1 and not record[-1].strip() else record


def _preamble(head: Sequence[str]) -> tuple[int, str | None, str]:
    """Lines before the table: how many, the separator that a spreadsheet's `sep=;` names, the last comment's text."""
    separator, comment = None, ""
    for number, line in enumerate(head):
        text = line.strip()
        if number == 0 and text.strip('"').lower().startswith("sep=") and len(text.strip('"')) <= 5:
            separator = line.strip('"\r\n ')[4:5] or "\t"
        elif text.startswith("#"):
            comment = text.lstrip("#").strip()
        elif text:
            return number, separator, comment
    return len(head), separator, comment


def _said_of(empty: Sequence[int], last: int) -> tuple[str, ...]:
    """What is said of empty rows: those after the last one are the end of the file."""
    within = sum(line < last for line in empty)
    return (counted(within, "empty row"),) if within else ()


def _chunks(rows: Iterator[tuple[int, list[str]]]) -> Iterator[list[tuple[int, list[str]]]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _quotes(error: str) -> str:
    """A complaint of Python's about quotes in a user's words."""
    if "unexpected end" in error:
        return "a quote is opened and not closed"
    if "expected after" in error:
        return "something follows a closing quote: a quote within quotes is written twice"
    if "field larger" in error:
        return f"a cell has more than {LARGEST:,} letters: is a quote not closed?"
    return error


def _times(number: int) -> str:
    return "twice" if number == 2 else f"{number} times"


def _same(form: Form, train: Table) -> Form:
    """How a test file is read: the columns of the training file."""
    return replace(form, columns=train.columns, label=train.label or None)
