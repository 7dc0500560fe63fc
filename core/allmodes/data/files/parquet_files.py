"""Parquet files: their rows one after another, with the columns that their folders name."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from allmodes.data.base import DataError
from allmodes.data.files.column_names import times
from allmodes.data.files.labels import blank_missing, text_of
from allmodes.data.files.walk import Item

MISSING = "__HIVE_DEFAULT_PARTITION__"
"""How a folder's name shows that a value is missing."""
LEVEL = re.compile(r"__index_level_\d+__")
"""Name that pandas gives the column of an index without one; other programs keep it without marking it."""
UNNAMED = ("", "Unnamed: 0")
"""Names of a column without one, such as the index in a CSV that became Parquet."""
CHUNK = 1000
"""Rows that are read at a time."""


class ParquetFile(NamedTuple):
    """A file.

    Attributes:
        path: Where it is.
        schema: Its own columns.
        rows: Number of rows.
        folder: Values that its folders give all its rows, as `label=3` does.
    """

    path: Path
    schema: Any
    rows: int
    folder: Mapping[str, str | None]


class ParquetFiles:
    """Parquet files that are read as one, in the order of their names.

    Attributes:
        name: What messages call them.
        main: The first file with rows.
        schema: The columns of this file, then those that its folders name.
        index: Columns that hold the index of a data frame.

    Raises:
        DataError: If one cannot be read, or has two columns of one name.
    """

    def __init__(self, name: str, items: Sequence[Item]) -> None:
        self.name, self.files = name, [_open(item) for item in items]
        self.ends: list[int] = list(accumulate(file.rows for file in self.files))
        if not self.ends[-1]:
            raise DataError(f"data: {name} has no rows")
        self.main = next(file for file in self.files if file.rows)
        self.folder_columns = [column for column in self.main.folder if column not in self.main.schema.names]
        self.schema: Any = _merge_schemas(self.files, self.main.schema, self.folder_columns)
        self.index = _index_columns(self.main.schema)
        self.index += [column for column in UNNAMED if column in self.schema.names and _counts_rows(self, column)]

    def __len__(self) -> int:
        return self.ends[-1]

    def file_of(self, row: int) -> int:
        """Position of the file that holds a row."""
        return bisect_right(self.ends, row)

    def where(self, row: int) -> str:
        """File and row, counted from 1, for messages."""
        i = self.file_of(row)
        return f"{self.files[i].path}, row {row - (self.ends[i - 1] if i else 0) + 1}"

    def why_unusual(self, column: str) -> str:
        """Why a column of numbers is not learned unless that is asked for; empty where it is."""
        if column in self.index:
            return "the index of a data frame"
        values = {file.folder.get(column) for file in self.files}
        return "one value in all folders" if column in self.folder_columns and len(values) == 1 else ""

    def left_out(self, learned: Sequence[str | None]) -> tuple[str, ...]:
        """The columns that are not learned, and why."""
        reasons = {field.name: self.why_unusual(field.name) or field.type for field in self.schema}
        extra = sorted({name for file in self.files for name in file.schema.names} - set(self.schema.names))
        reasons |= dict.fromkeys(extra, f"not in {self.main.path}")
        return tuple(f"column {name!r} ({why})" for name, why in reasons.items() if name not in learned)

    def check_alike(self, columns: Iterable[str], fits: Callable[[Any], bool], what: str) -> None:
        """Check that columns hold the same in all files; a column without values fits.

        Raises:
            DataError: If a column is missing in a file or holds something else than in the main file.
        """
        for column in columns:
            for file in self.files:
                own = column in file.schema.names
                if not own and column not in file.folder:
                    raise DataError(f"data: {file.path} has no column {column!r}, which {self.main.path} has")
                kind = file.schema.field(column).type if own else pa.null()
                if file.rows and not pa.types.is_null(kind) and not fits(kind):
                    have = f"column {column!r} of {file.path} holds {kind}, but {what} in {self.main.path}"
                    raise DataError(f"data: {have}: make them alike, or leave the column out")

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[int, Any]]:
        """Read record batches of some columns, each with the position of its first row."""
        row = 0
        for file in self.files:
            own = [column for column in columns if column in file.schema.names]
            try:
                for batch in pq.ParquetFile(file.path).iter_batches(CHUNK, columns=own):
                    for name in (column for column in columns if column not in own):
                        value = pa.scalar(file.folder[name], pa.string()).cast(self.schema.field(name).type)
                        batch = batch.append_column(name, pa.repeat(value, batch.num_rows))
                    yield row, batch
                    row += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                raise DataError(f"data: {file.path} is damaged: {_one_line(error)}") from None

    def labels(self, column: str | None) -> list[str] | None:
        """Read labels as text; a missing one is empty.

        Raises:
            DataError: If the column holds lists or the like.
        """
        if column is None:
            return None
        if pa.types.is_nested(kind := self.schema.field(column).type):
            raise DataError(f"data: column {column!r} of {self.name} holds {kind}, not labels: choose another")
        self.check_alike([column], lambda kind: not pa.types.is_nested(kind), "labels")
        values = (value for _, batch in self.batches([column]) for value in batch.column(column).to_pylist())
        return blank_missing([text_of(value) for value in values])


def _open(item: Item) -> ParquetFile:
    try:
        with pq.ParquetFile(item.path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"data: {item.path} cannot be read as Parquet: {_one_line(error)}") from None
    for name, number in Counter(schema.names).items():
        if number > 1:
            raise DataError(f"data: {item.path} names the column {name!r} {times(number)}: rename one")
    pairs = (unquote(part).partition("=") for part in item.parts[:-1] if "=" in part)
    return ParquetFile(item.path, schema, rows, {key: None if value == MISSING else value for key, _, value in pairs})


def _merge_schemas(files: Sequence[ParquetFile], schema: Any, folder_columns: Sequence[str]) -> Any:
    """A schema in which another file gives the type of a column without values, and with columns from folders."""
    for i, name in enumerate(schema.names):
        if pa.types.is_null(schema.field(i).type):
            kinds = [file.schema.field(name).type for file in files if name in file.schema.names]
            kind = next((kind for kind in kinds if not pa.types.is_null(kind)), pa.null())
            schema = schema.set(i, pa.field(name, kind))
    for name in folder_columns:
        schema = schema.append(pa.field(name, _type_of([file.folder.get(name) for file in files])))
    return schema


def _type_of(values: Sequence[str | None]) -> Any:
    """The type of the values of folders."""
    array = pa.array(values, pa.string())
    for kind in (pa.int64(), pa.float64()):
        try:
            array.cast(kind)
        except pa.ArrowInvalid:
            continue
        return kind
    return pa.string()


def _index_columns(schema: Any) -> list[str]:
    """The columns in which pandas keeps the index of a data frame."""
    try:
        marked = (schema.pandas_metadata or {}).get("index_columns", [])
    except (ValueError, AttributeError):  # damaged metadata do not damage the rows
        marked = []
    return [name for name in schema.names if name in marked or LEVEL.fullmatch(name)]


def _counts_rows(rows: ParquetFiles, column: str) -> bool:
    """Whether a column counts rows: whole numbers that grow within each file."""
    kinds = [dict(zip(file.schema.names, file.schema.types, strict=True)).get(column) for file in rows.files]
    if not all(kind is not None and pa.types.is_integer(kind) for kind in kinds):
        return False
    last = dict.fromkeys(range(len(rows.files)), -1)
    for row, batch in rows.batches([column]):
        values = np.array([last[i := rows.file_of(row)], *batch.column(column).fill_null(-1).to_pylist()])
        if (np.diff(values) <= 0).any():
            return False
        last[i] = int(values[-1])
    return True


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).removesuffix(".")
