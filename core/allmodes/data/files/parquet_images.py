"""Parquet files: their rows one after another, and the images that a column of them holds."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from torch import Tensor

from allmodes.data.base import DataError
from allmodes.data.files.images import Images, unreadable
from allmodes.data.files.labels import text_of, without_missing
from allmodes.data.files.missing import Positions
from allmodes.data.files.places import Item
from allmodes.data.files.scratch import Scratch
from allmodes.data.files.storage import StoragePolicy

MISSING = "__HIVE_DEFAULT_PARTITION__"
"""How a folder's name says that a value is missing."""
LEVEL = re.compile(r"__index_level_\d+__")
"""What pandas calls the column of an index without a name; other programs keep it without saying what it is."""
UNNAMED = ("", "Unnamed: 0")
"""What a column without a name is called, as the index is in a CSV that became Parquet."""
TIMES = {2: "twice"}


class Parts:
    """Parquet files that are read as one, in the order of their names, with the columns that their folders name.

    Attributes:
        name: What messages call them.
        schema: The columns of the first file with rows, then those of folders such as `label=3`.
        index: Columns that hold the index of a data frame.

    Raises:
        DataError: If one cannot be read, or has two columns of one name.
    """

    def __init__(self, name: str, items: Sequence[Item]) -> None:
        self.name, self.files = name, [item.path for item in items]
        self.heads = [_head(file) for file in self.files]
        self.ends: list[int] = list(accumulate(head.rows for head in self.heads))
        if not self.ends[-1]:
            raise DataError(f"data: {name} has no rows")
        self.main = next(i for i, head in enumerate(self.heads) if head.rows)
        self.folders = [_values(item) for item in items]
        self.schema: Any = self._schema(self.heads[self.main].schema)
        self.index: list[str] = _index(self.heads[self.main].schema)
        self.index += [name for name in UNNAMED if name in self.schema.names and self._counts(name)]

    def __len__(self) -> int:
        return int(self.ends[-1])

    def where(self, row: int) -> str:
        """File and row, counted from 1, as messages say it."""
        i = bisect_right(self.ends, row)
        return f"{self.files[i]}, row {row - (self.ends[i - 1] if i else 0) + 1}"

    def _counts(self, column: str) -> bool:
        """Whether a column counts rows: whole numbers that grow within each file."""
        kinds = [dict(zip(head.schema.names, head.schema.types, strict=True)).get(column) for head in self.heads]
        if not all(kind is not None and pa.types.is_integer(kind) for kind in kinds):
            return False
        before: dict[Path, int] = {}
        for row, batch in self.batches([column]):
            file, cells = self.files[bisect_right(self.ends, row)], batch.column(column)
            values = np.array([before.get(file, -1), *cells.fill_null(-1).to_pylist()])
            if (np.diff(values) <= 0).any():
                return False
            before[file] = int(values[-1])
        return True

    def constant(self, column: str) -> bool:
        """Whether a column comes from folders that all have one value."""
        return column in self._folder_columns() and len({folder.get(column) for folder in self.folders}) == 1

    def extra(self) -> list[str]:
        """Columns that the first file has not, but another has."""
        return sorted({name for head in self.heads for name in head.schema.names} - set(self.schema.names))

    def refuse_mixed(self, columns: Iterable[str], fits: Callable[[Any], bool], what: str) -> None:
        """Refuse files in which a column is missing, or holds something else than in the first; no values are none."""
        for column in columns:
            for file, head, folder in zip(self.files, self.heads, self.folders, strict=True):
                if column not in head.schema.names and column not in folder:
                    raise DataError(f"data: {file} has no column {column!r}, which {self.files[self.main]} has")
                kind = head.schema.field(column).type if column in head.schema.names else None
                if kind is not None and head.rows and not pa.types.is_null(kind) and not fits(kind):
                    have = f"column {column!r} of {file} holds {kind}, but {what} in {self.files[self.main]}"
                    raise DataError(f"data: {have}: make them alike, or leave the column out")

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[int, Any]]:
        """Record batches of some columns, each with the position of its first row."""
        row = 0
        for file, head, folder in zip(self.files, self.heads, self.folders, strict=True):
            own = [column for column in columns if column in head.schema.names]
            try:
                for batch in pq.ParquetFile(file).iter_batches(1000, columns=own):
                    yield row, self._with_folder(batch, folder, columns)
                    row += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                raise DataError(f"data: {file} is damaged: {_one_line(error)}") from None

    def labels(self, column: str | None) -> list[str] | None:
        """The labels as text; a missing one is empty."""
        if column is None:
            return None
        if pa.types.is_nested(kind := self.schema.field(column).type):
            raise DataError(f"data: column {column!r} of {self.name} holds {kind}, which is no label: choose another")
        self.refuse_mixed([column], lambda kind: not pa.types.is_nested(kind), "labels")
        values = (value for _, batch in self.batches([column]) for value in batch.column(column).to_pylist())
        return without_missing([text_of(value) for value in values])

    def class_names(self, column: str, labels: Sequence[str]) -> tuple[str, ...] | None:
        """Names of the labels, where Hugging Face wrote them down for labels that are their numbers."""
        names = _features(self.heads[self.main].schema).get(column, [])
        known = all(label.isdecimal() and int(label) < len(names) for label in labels)
        return tuple(names[int(label)] for label in labels) if known and names else None

    def _schema(self, schema: Any) -> Any:
        """With the first type that says something where the first file has no values, and the folders' columns."""
        for name in schema.names:
            if pa.types.is_null(schema.field(name).type):
                kinds = [head.schema.field(name).type for head in self.heads if name in head.schema.names]
                kind = next((kind for kind in kinds if not pa.types.is_null(kind)), pa.null())
                schema = schema.set(schema.names.index(name), pa.field(name, kind))
        for name in self._folder_columns():
            schema = schema.append(pa.field(name, _kind([folder.get(name) for folder in self.folders])))
        return schema

    def _folder_columns(self) -> list[str]:
        own = self.heads[self.main].schema.names
        return [name for name in self.folders[self.main] if name not in own]

    def _with_folder(self, batch: Any, folder: Mapping[str, str | None], columns: Sequence[str]) -> Any:
        """The batch with the values of its file's folders."""
        for name in columns:
            if name not in batch.schema.names:
                value = pa.scalar(folder[name], pa.string()).cast(self.schema.field(name).type)
                batch = batch.append_column(name, pa.repeat(value, batch.num_rows))
        return batch


class Cells(Images):
    """The encoded images of a column, or of some of its rows: in memory, or in a copy on disk with a place for each."""

    def __init__(
        self, rows: Parts, column: str, labels: Tensor | None, keeping: StoragePolicy, kept: Positions | None = None
    ) -> None:
        self.name, self.rows, self.column, self.labels = rows.name, rows, column, labels
        self.kept: Sequence[int] | Positions = range(len(rows)) if kept is None else kept
        stored = sum(file.stat().st_size for file in rows.files)
        self.copy = self._copied() if keeping.streams(stored, rows.name) else None

    @cached_property
    def cells(self) -> Any:
        """All cells; each process maps the copy anew."""
        if self.copy is None:
            return pa.chunked_array(list(self._bytes()), pa.large_binary())
        return pa.ipc.open_file(pa.memory_map(str(self._path(self.copy)))).read_all().column(0)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.kept)

    def file(self, position: int) -> bytes:
        """The encoded image."""
        cell: bytes | None = self.cells[int(self.kept[position])].as_py()
        if cell is None:
            raise unreadable(self.where(position), "the cell is empty")
        return cell

    def where(self, position: int) -> str:
        """File and row."""
        return self.rows.where(int(self.kept[position]))

    def _bytes(self) -> Iterator[Any]:
        for row, batch in self.rows.batches([self.column]):
            cells = batch.column(0)
            if row == 0:
                _refuse_paths(self.rows.name, self.column, cells)
            yield (pc.struct_field(cells, "bytes") if pa.types.is_struct(cells.type) else cells).cast(pa.large_binary())

    def _copied(self) -> Scratch:
        scratch, schema = Scratch(), pa.schema([(self.column, pa.large_binary())])
        with pa.ipc.new_file(str(self._path(scratch)), schema) as writer:
            for cells in self._bytes():
                writer.write_batch(pa.record_batch([cells], schema=schema))
        return scratch

    @staticmethod
    def _path(scratch: Scratch) -> Path:
        return scratch.folder / "images.arrow"


def _refuse_paths(name: str, column: str, cells: Any) -> None:
    """Refuse images of which there are paths only."""
    first = cells[0].as_py()
    if isinstance(first, dict) and first["bytes"] is None and first.get("path"):
        what = f"column {column!r} of {name} holds paths of images, such as {first['path']!r}, not the images"
        raise DataError(f"data: {what}: write them into the file, or learn from their folder with kind: image_folder")


class _Head(NamedTuple):
    """What a file says of itself."""

    schema: Any
    rows: int


def _head(file: Path) -> _Head:
    try:
        with pq.ParquetFile(file) as opened:
            head = _Head(opened.schema_arrow, opened.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"data: {file} cannot be read as Parquet: {_one_line(error)}") from None
    for name, times in Counter(head.schema.names).items():
        if times > 1:
            raise DataError(f"data: {file} names the column {name!r} {TIMES.get(times, f'{times} times')}: rename one")
    return head


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).removesuffix(".")


def _values(item: Item) -> dict[str, str | None]:
    """What a file's folders say of all its rows, as `label=3` does."""
    pairs = (unquote(part).partition("=") for part in item.parts[:-1] if "=" in part)
    return {key: None if value == MISSING else value for key, _, value in pairs}


def _kind(values: Sequence[str | None]) -> Any:
    """The type of the values of folders."""
    array = pa.array(values, pa.string())
    for kind in (pa.int64(), pa.float64()):
        try:
            array.cast(kind)
        except pa.ArrowInvalid:
            continue
        return kind
    return pa.string()


def _index(schema: Any) -> list[str]:
    """The columns in which pandas keeps the index of a data frame."""
    try:
        said = (schema.pandas_metadata or {}).get("index_columns", [])
    except (ValueError, AttributeError):  # damaged metadata do not damage the rows
        said = []
    return [name for name in schema.names if name in said or LEVEL.fullmatch(name)]


def _features(schema: Any) -> dict[str, list[str]]:
    """The names of labels by column, as Hugging Face writes them into a file."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        named = {column: feature.get("names") for column, feature in features.items() if isinstance(feature, dict)}
    except (KeyError, TypeError, ValueError, AttributeError):  # none, or damaged: the numbers are labels enough
        return {}
    return {column: list(map(str, names)) for column, names in named.items() if isinstance(names, list)}
