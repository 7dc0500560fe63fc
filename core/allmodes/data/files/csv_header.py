"""The names of a CSV's columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn

from allmodes.data.base import DataError
from allmodes.data.description import counted, listed
from allmodes.data.files.cells import is_number, looks_like_number
from allmodes.data.files.column_names import times
from allmodes.data.files.csv_dialect import Dialect, Record, without_last_empty


@dataclass(frozen=True)
class Header:
    """The columns of a CSV.

    Attributes:
        path: The file, as messages call it.
        names: Their names; of a column without one its number, counted from 1.
        named: Whether the file names columns.
        line: Line that names them; 0 if none does, or a comment.
        certain: Whether the user set that this line names them.
        delimiter: Between cells.
    """

    path: str
    names: list[str]
    named: bool
    line: int
    certain: bool
    delimiter: str

    def is_unnamed(self, name: str) -> bool:
        """Whether the header gives a column no name."""
        return self.named and name == str(self.names.index(name) + 1)

    def check_unique(self, used: Sequence[str]) -> None:
        """Check that the names of the columns in use are unique.

        Raises:
            DataError: With the first that has, unless the header looks like data.
        """
        for name in used:
            if self.names.count(name) > 1 and self.named:
                self.check_names([name])
                *most, last = [str(i) for i, other in enumerate(self.names, 1) if other == name]
                where = f"{times(len(most) + 1)} (columns {', '.join(most)} and {last})"
                raise DataError(f"data: {self.path} names the column {name!r} {where}: rename one")

    def check_names(self, names: Sequence[str]) -> None:
        """Check that not all names of columns of numbers are numbers themselves, which makes the header a row of data.

        Raises:
            DataError: If they are, and the user has not set that the line names columns.
        """
        if self.line and not self.certain and names and all(is_number(n) or looks_like_number(n) for n in names):
            have = f"{self.path}, line {self.line} looks like data ({listed(self.names, 4)})"
            remedy = "set header: false, or header: true if it does name them"
            raise DataError(f"data: {have} and not like names of columns: {remedy}", {"header": False})

    def fit(self, line: int, row: list[str]) -> list[str]:
        """A row of as many cells as there are columns; what is more and empty is a separator at the end of the line.

        Raises:
            DataError: If it has more or fewer.
        """
        wide = len(self.names)
        if len(row) > wide and not any(cell.strip() for cell in row[wide:]):
            return row[:wide]
        if len(row) != wide:
            cells, columns = counted(len(row), "cell"), counted(wide, "column")
            commas = self.delimiter == "," and len(row) == 2 * wide and all(map(str.isdigit, row))
            hint = ": are decimals written with a comma? Then separate the cells by semicolons" if commas else ""
            raise DataError(f"data: {self.path}, line {line} has {cells}, but there are {columns}{hint}")
        return row


def read_header(
    path: str, records: Iterator[Record], dialect: Dialect, header: bool | Literal["auto"]
) -> tuple[Header, Record]:
    """Read the names of the columns, and the first row of data.

    Args:
        path: What messages call the file.
        records: Its rows.
        dialect: How it is written.
        header: Whether the first row names the columns, or `auto`: it does unless a comment before it does.

    Raises:
        DataError: If there are no rows.
    """
    first, line = next(records, None), 0
    if first is None:
        raise DataError(f"data: {path} is empty")
    names = _names_in_comment(dialect, first[1]) if header == "auto" else None
    if header is not False and names is None:
        (line, names), first = first, next(records, None)
        names = ["", *names] if dialect.row_names else names
        if first and len(first[1]) < len(names):
            names = list(without_last_empty(names))
    if first is None:
        refuse_empty(path)
    names = [(name.strip() or str(i)) for i, name in enumerate(names or [""] * len(first[1]), 1)]
    return Header(path, names, header is not False, line, header is True, dialect.delimiter), first


def refuse_empty(path: str) -> NoReturn:
    """Refuse a file without rows."""
    raise DataError(f"data: {path} has a header but no rows")


def _names_in_comment(dialect: Dialect, first: Sequence[str]) -> list[str] | None:
    """Names that a comment before the data holds, as NumPy writes them."""
    names = next(csv.reader([dialect.comment], delimiter=dialect.delimiter, skipinitialspace=True), [])
    fits = len(names) == len(first) and any(map(is_number, first)) and not any(map(is_number, names))
    return names if fits else None
