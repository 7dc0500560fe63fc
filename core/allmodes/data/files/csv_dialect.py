"""How a CSV separates its cells, as its first lines show."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeAlias

from allmodes.data.base import DataError
from allmodes.data.files.cells import looks_like_number

DELIMITERS = ",;\t| "
COMPARED = 10
"""Lines that show what separates cells."""
LARGEST = 2**26
"""Letters of a cell; a longer one is a quote that was never closed, or an attack."""

Record: TypeAlias = tuple[int, list[str]]
"""The cells of a row, and the line that it ends on."""


@dataclass(frozen=True)
class Dialect:
    """How a CSV is written.

    Attributes:
        delimiter: Between cells.
        skipped: Lines before the table: comments, and the line `sep=;` of a spreadsheet.
        comment: Text of the last comment before the table.
        row_names: Whether rows begin with a quoted name that the header does not count, as R's `write.table` has it.
    """

    delimiter: str
    skipped: int
    comment: str
    row_names: bool

    def records(self, path: str, lines: Iterable[str]) -> Iterator[Record]:
        """Read rows that are not empty lines.

        Raises:
            DataError: If quotes do not match; the message names the line on which the row begins.
        """
        reader = csv.reader(lines, delimiter=self.delimiter, skipinitialspace=True, strict=True)
        begins = self.skipped + 1
        try:
            for cells in reader:
                if cells:
                    yield self.skipped + reader.line_num, cells
                begins = self.skipped + reader.line_num + 1
        except csv.Error as error:
            raise DataError(f"data: {path}, line {begins}: {_explain(str(error))}") from None


def find_dialect(head: Sequence[str], delimiter: str) -> Dialect:
    """Find how a CSV is written from its first lines.

    Args:
        head: The lines.
        delimiter: Between cells, or `auto`: what `sep=` names, else what divides the lines best.
    """
    csv.field_size_limit(max(LARGEST, csv.field_size_limit()))
    skipped, separator, comment = _preamble(head)
    table = head[skipped:]
    delimiter = delimiter if delimiter != "auto" else separator or _find_delimiter(table)
    return Dialect(delimiter, skipped, comment, _has_row_names(table, delimiter))


def without_last_empty(record: Sequence[str]) -> Sequence[str]:
    """A row without the empty cell that a separator at the end of the line makes."""
    return record[:-1] if len(record) > 1 and not record[-1].strip() else record


def _preamble(head: Sequence[str]) -> tuple[int, str | None, str]:
    """Lines before the table: how many, the separator that `sep=;` names, the last comment's text."""
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


def _find_delimiter(lines: Sequence[str]) -> str:
    """The one that gives the first lines equally many cells, the most, and the most numbers."""

    def score(delimiter: str) -> tuple[bool, bool, bool, int, int]:
        records = [record for record in _first_records(lines, delimiter) if record]
        wide, alike = _width(records[: -1 if len(records) > 2 else None])
        if not alike and _has_row_names(lines, delimiter):
            wide, alike = wide + 1, True
        numbers = sum(map(looks_like_number, chain(*records)))
        splits = wide > 1 and 2 * sum(len(record) > 1 for record in records) > len(records)
        return alike and wide > 1, splits and delimiter != " ", alike, 0 if delimiter == " " else wide, numbers

    return max(DELIMITERS, key=score)


def _has_row_names(lines: Sequence[str], delimiter: str) -> bool:
    records = _first_records(lines, delimiter)
    wide = len(records[0]) if records else 0
    quoted = len(lines) > 1 and lines[1].startswith('"') and delimiter in " \t"
    return quoted and all(len(record) == wide + 1 for record in records[1:] if record)


def _first_records(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    return list(islice(csv.reader(lines, delimiter=delimiter, skipinitialspace=True), COMPARED))


def _width(records: Sequence[Sequence[str]]) -> tuple[int, bool]:
    """Cells of a line, and whether all lines have as many, but for an empty one at the end."""
    for wide in (len(without_last_empty(records[0])), len(records[0])) if records else ():
        if all(len(record) == wide or len(without_last_empty(record)) == wide for record in records):
            return wide, True
    return len(records[0]) if records else 0, False


def _explain(error: str) -> str:
    """A complaint of Python's about quotes in a user's words."""
    if "unexpected end" in error:
        return "a quote is opened and not closed"
    if "expected after" in error:
        return "something follows a closing quote: a quote within quotes is written twice"
    if "field larger" in error:
        return f"a cell has more than {LARGEST:,} letters: is a quote not closed?"
    return error
