"""CSV files of numbers; messages name the line that an editor shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import IO, Literal

import numpy as np

from allmodes.data.base import DataError
from allmodes.data.description import counted, listed
from allmodes.data.files.cells import NumberFormat
from allmodes.data.files.column_names import check_columns, find_label
from allmodes.data.files.columns import Column, check_doubtful
from allmodes.data.files.csv_dialect import Record, find_dialect
from allmodes.data.files.csv_header import Header, read_header, refuse_empty
from allmodes.data.files.labels import blank_missing
from allmodes.data.files.loading import ReadOptions
from allmodes.data.files.storage import StoragePolicy
from allmodes.data.files.texts import open_text
from allmodes.data.files.vectors import NumericTable, build_vectors
from allmodes.data.finite import FiniteData

FIRST = 50
"""Lines from which a file's dialect is detected."""
CHUNK = 1000
"""Rows that are read at a time."""


@dataclass(frozen=True)
class CsvFormat:
    """A CSV's dialect and the columns to read: the options of the data kind `csv`, which describes them."""

    columns: tuple[str, ...] | None = None
    label: str | None = None
    delimiter: str = "auto"
    header: bool | Literal["auto"] = "auto"
    numbers: NumberFormat = field(default_factory=NumberFormat)
    encoding: str = "auto"


def read_csv(path: str, format: CsvFormat, options: ReadOptions, test_path: str | None = None) -> FiniteData:
    """Read the rows of a CSV as data in memory; those of a test file have the columns of the training file.

    Raises:
        DataError: If the file, a column or a cell is not as it should be; the message names it.
    """
    train, test = _read_table(path, format), None
    if test_path is not None:
        test = _read_table(test_path, replace(format, columns=train.columns, label=train.label or None))
    return build_vectors(train, test, replace(options, storage=StoragePolicy("resident")))


def first_rows(path: str, format: CsvFormat, number: int) -> dict[str, list[str]]:
    """Read the cells of the first rows by column.

    Raises:
        DataError: If the file cannot be read.
    """
    with open_text(Path(path), format.encoding) as file:
        header, records = _begin(path, format, file)
        rows = [header.fit(line, row) for line, row in islice(records, number) if "".join(row).strip()]
    return {name: [row[i].strip() for row in rows] for i, name in enumerate(header.names)}


def _read_table(path: str, format: CsvFormat) -> NumericTable:
    with open_text(Path(path), format.encoding) as file:
        header, records = _begin(path, format, file)
        names = header.names
        header.check_unique([*(format.columns or names), *([format.label] if format.label else [])])
        label = find_label(format.label, format.columns, names, path)
        check_columns(format.columns or (), names, path)
        chosen = [name for name in names if name != label] if format.columns is None else format.columns
        columns = [Column(name, names.index(name), header.is_unnamed(name), format.numbers) for name in chosen]
        lines, labels, empty = _read_rows(records, header, columns, None if label is None else names.index(label))
    learned = _select(columns, header, asked=format.columns is not None)
    left_out = tuple(column.why for column in columns if column not in learned)
    if within := sum(line < lines[-1] for line in empty):  # those after the last row are the end of the file
        left_out += (counted(within, "empty row"),)
    if labels is not None:
        labels = blank_missing(["" if text in format.numbers.missing else text for text in labels])
    x, called = np.stack([np.frombuffer(column.values) for column in learned], 1), (column.name for column in learned)
    return NumericTable(path, x, tuple(called), labels, label or "", lambda row: f"line {lines[row]}", left_out)


def _begin(path: str, format: CsvFormat, file: IO[str]) -> tuple[Header, Iterator[Record]]:
    """Read the header; the rows follow."""
    head = list(islice(file, FIRST))
    head[:1] = [line.removeprefix("\ufeff") for line in head[:1]]  # an encoding that was named leaves the mark
    if any("\0" in line for line in head):
        raise DataError(f"data: {path} is not text in UTF-8: save it so, or set encoding, such as utf-16-le")
    dialect = find_dialect(head, format.delimiter)
    records = dialect.records(path, chain(head[dialect.skipped :], file))
    header, first = read_header(path, records, dialect, format.header)
    return header, chain([first], records)


def _read_rows(
    records: Iterator[Record], header: Header, columns: Sequence[Column], label: int | None
) -> tuple[list[int], list[str] | None, list[int]]:
    """Fill the columns; returns the rows' lines, their labels if there are any, and the lines of empty rows."""
    lines, labels, empty = list[int](), list[str](), list[int]()
    while rows := list(islice(records, CHUNK)):
        filled = [(line, row) for line, row in rows if "".join(row).strip()]
        empty += [line for line, row in rows if not "".join(row).strip()] if len(filled) < len(rows) else []
        if filled:
            here = [line for line, _ in filled]
            cells = list(zip(*(header.fit(*record) for record in filled), strict=True))
            for column in columns:
                column.add(cells[column.place], here)
            labels += [] if label is None else map(str.strip, cells[label])
            lines += here
    if not lines:
        refuse_empty(header.path)
    return lines, None if label is None else labels, empty


def _select(columns: Sequence[Column], header: Header, asked: bool) -> Sequence[Column]:
    """The columns of numbers: those that were asked for, or all that hold nothing else."""
    check_doubtful(header.path, [column for column in columns if column.is_doubtful(asked)], asked)
    learned = [column for column in columns if column.is_numeric]
    header.check_names([column.name for column in learned if not column.unnamed])
    if not asked:
        learned = _without_index(learned, header)
    if not learned:
        have = listed([column.why for column in columns])
        raise DataError(f"data: {header.path} has no column of numbers; it has {have}")
    return learned


def _without_index(columns: Sequence[Column], header: Header) -> list[Column]:
    """Drop the index that a data frame writes first; another column of numbers without a name is refused."""
    index = 0
    while index < len(columns) - 1 and columns[index].place == index and columns[index].is_index():
        index += 1
    for column in columns[index:]:
        if column.unnamed:
            raise DataError(
                f"data: {header.path}: column {column.name} holds numbers but has no name: name it in line "
                f"{header.line}, or set columns to those to learn"
            )
    return list(columns[index:])
