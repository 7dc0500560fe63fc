"""Parquet files: their rows one after another, and the images that a column of them holds."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from torch import Tensor

from allmodes.data.base import DataError
from allmodes.data.labels import text_of, without_missing
from allmodes.data.missing import Positions
from allmodes.data.pictures import Images
from allmodes.data.scratch import Scratch
from allmodes.data.sources import Keeping


class Parts:
    """Parquet files that are read as one, in the order of their names.

    Raises:
        DataError: If one cannot be read, or lacks a column.
    """

    def __init__(self, name: str, files: Sequence[Path]) -> None:
        self.name, self.files = name, files
        opened = [_opened(file) for file in files]
        self.schema: Any = opened[0].schema_arrow
        self.ends: list[int] = list(accumulate(file.metadata.num_rows for file in opened))
        for file, part in zip(files, opened, strict=True):
            if missing := set(self.schema.names) - set(part.schema_arrow.names):
                raise DataError(f"data: {file} has no column {min(missing)!r}, which {files[0]} has")
        if not self.ends[-1]:
            raise DataError(f"data: {name} has no rows")

    def __len__(self) -> int:
        return int(self.ends[-1])

    def where(self, row: int) -> str:
        """File and row, counted from 1, as messages say it."""
        i = bisect_right(self.ends, row)
        return f"{self.files[i]}, row {row - (self.ends[i - 1] if i else 0) + 1}"

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[int, Any]]:
        """Record batches of some columns, each with the position of its first row."""
        row = 0
        for file in self.files:
            try:
                for batch in pq.ParquetFile(file).iter_batches(1000, columns=list(columns)):
                    yield row, batch
                    row += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                raise DataError(f"data: {file} is damaged: {error}") from None

    def labels(self, column: str | None) -> list[str] | None:
        """The labels as text; a missing one is empty."""
        if column is None:
            return None
        values = (value for _, batch in self.batches([column]) for value in batch.column(0).to_pylist())
        return without_missing([text_of(value) for value in values])


class Cells(Images):
    """The encoded images of a column, or of some of its rows: in memory, or in a copy on disk with a place for each."""

    def __init__(
        self, rows: Parts, column: str, labels: Tensor | None, keeping: Keeping, kept: Positions | None = None
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
        return b"" if cell is None else cell

    def where(self, position: int) -> str:
        """File and row."""
        return self.rows.where(int(self.kept[position]))

    def _bytes(self) -> Iterator[Any]:
        for _, batch in self.rows.batches([self.column]):
            cells = batch.column(0)
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


def _opened(file: Path) -> Any:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"data: {file} cannot be read as Parquet: {error}") from None
