"""Encoded images that a column of Parquet files holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from allmodes.data.base import DataError, DataInfo, Origin
from allmodes.data.files.column_names import check_columns
from allmodes.data.files.image_files import unreadable
from allmodes.data.files.images import ImageOptions, Images, make_alike
from allmodes.data.files.labels import class_names_of, class_numbers
from allmodes.data.files.loading import ReadOptions, build_data
from allmodes.data.files.missing import Gaps, Positions
from allmodes.data.files.parquet_files import ParquetFiles
from allmodes.data.files.storage import ScratchFolder
from allmodes.data.finite import FiniteData


class ParquetImages(Images):
    """The encoded images of a column: in memory, or in a copy on disk with a place for each.

    Args:
        rows: The files.
        column: Column of images.
        label: Column of labels, if any.
        options: What becomes of rows without a label, and where images are kept.

    Attributes:
        words: The labels as the files write them, if there are any.
        left_out: Columns and rows that are not learned, and why.
    """

    def __init__(self, rows: ParquetFiles, column: str, label: str | None, options: ReadOptions) -> None:
        rows.check_alike([column], holds_images, "images")
        self.name, self.rows, self.column, self.words = rows.name, rows, column, rows.labels(label)
        gaps = Gaps(rows.name, len(rows), rows.where)
        gaps.count_labels(label or "", self.words or ())
        kept = gaps.complete_rows(options.missing)
        self.left_out = (*rows.left_out((column, label)), *gaps.left_out)
        self.kept: Sequence[int] | Positions = range(len(rows)) if kept is None else kept
        self.words = self.words and [self.words[i] for i in self.kept]
        stored = sum(file.path.stat().st_size for file in rows.files)
        self.copy = self._write_copy() if options.storage.keeps_on_disk(stored, rows.name) else None

    @cached_property
    def cells(self) -> Any:
        """All cells; each process maps the copy anew."""
        if self.copy is None:
            return pa.chunked_array(list(self._read_bytes()), pa.large_binary())
        return pa.ipc.open_file(pa.memory_map(str(self.copy.path / "images.arrow"))).read_all().column(0)

    @override
    def __len__(self) -> int:
        return len(self.kept)

    @override
    def file(self, position: int) -> bytes:
        cell: bytes | None = self.cells[int(self.kept[position])].as_py()
        if cell is None:
            raise unreadable(self.where(position), "the cell is empty")
        return cell

    @override
    def where(self, position: int) -> str:
        return self.rows.where(int(self.kept[position]))

    def _read_bytes(self) -> Iterator[Any]:
        for row, batch in self.rows.batches([self.column]):
            cells = batch.column(0)
            if row == 0:
                self._check_first(cells[0].as_py())
            yield (pc.struct_field(cells, "bytes") if pa.types.is_struct(cells.type) else cells).cast(pa.large_binary())

    def _check_first(self, cell: Any) -> None:
        if isinstance(cell, dict) and cell["bytes"] is None and cell.get("path"):
            have = f"column {self.column!r} of {self.name} holds paths of images, such as {cell['path']!r}"
            remedy = "write them into the file, or learn from their folder with kind: image_folder"
            raise DataError(f"data: {have}, not the images: {remedy}")

    def _write_copy(self) -> ScratchFolder:
        scratch, schema = ScratchFolder(), pa.schema([(self.column, pa.large_binary())])
        with pa.ipc.new_file(str(scratch.path / "images.arrow"), schema) as writer:
            for cells in self._read_bytes():
                writer.write_batch(pa.record_batch([cells], schema=schema))
        return scratch


def build_images(
    train: ParquetFiles,
    test: ParquetFiles | None,
    columns: tuple[str, str | None],
    wanted: ImageOptions,
    options: ReadOptions,
) -> FiniteData:
    """Build data of encoded images.

    Args:
        train: Files to train on.
        test: Files to hold out, if any.
        columns: Columns of images and of labels, if any.
        wanted: Size and channels of images.
        options: How they become data.

    Raises:
        DataError: If a column or an image is not as it should be.
    """
    images = ParquetImages(train, *columns, options)
    names = class_names_of(images.words)
    images.labels = class_numbers(images.words, names, train.name)
    seen = make_alike(images, wanted)
    origin = Origin(train.name, left_out=images.left_out, notes=images.notes)
    unseen = None
    if test is not None:
        check_columns([name for name in columns if name], test.schema.names, test.name)
        others = ParquetImages(test, *columns, options)
        others.labels = class_numbers(others.words, names, test.name)
        unseen, origin = make_alike(others, wanted, images.format), origin.with_test(test.name, others.left_out)
    return build_data(seen, unseen, options, DataInfo.named(names, origin))


def holds_images(kind: Any) -> bool:
    """Whether a column of this type may hold encoded images: bytes, or a struct with a field of bytes."""
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and holds_images(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
