"""Parquet files: a column of encoded images as Hugging Face writes them, or columns of numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from allmodes.data.base import DataError
from allmodes.data.description import listed
from allmodes.data.files.column_names import check_columns, find_label
from allmodes.data.files.image_files import is_image
from allmodes.data.files.images import ImageOptions
from allmodes.data.files.labels import text_of
from allmodes.data.files.loading import ReadOptions
from allmodes.data.files.parquet_files import ParquetFiles
from allmodes.data.files.parquet_images import build_images, holds_images
from allmodes.data.files.parquet_places import find_places
from allmodes.data.files.storage import ScratchFolder, StoragePolicy
from allmodes.data.files.vectors import NpyFile, NumericTable, Rows, build_vectors
from allmodes.data.finite import FiniteData

PROBED = 20
"""Cells that show whether bytes are images."""


@dataclass(frozen=True)
class ParquetColumns:
    """Columns that are read; None for those that are found: see the options of kind `parquet`."""

    image: str | None = None
    numbers: tuple[str, ...] | None = None
    label: str | None = None


def read_parquet(
    path: str, columns: ParquetColumns, wanted: ImageOptions, options: ReadOptions, test_path: str | None = None
) -> FiniteData:
    """Read the rows of a Parquet file, of a folder of them, or of all that match a pattern such as `part-*.parquet`.

    Args:
        path: The file, folder or pattern; names of folders or files such as `train` and `test` show what is held out.
        columns: What is read.
        wanted: Size and channels of images.
        options: How rows become data.
        test_path: File, folder or pattern of rows that are not trained on.

    Raises:
        DataError: If a file, a column or a cell is not as it should be; the message names it.
    """
    places = find_places(path, test_path)
    train = ParquetFiles(path, places.train)
    test = ParquetFiles(places.held, places.test) if places.test else None
    image = _find_image(train, columns)
    label = find_label(columns.label, columns.numbers if image is None else None, train.schema.names, path)
    if image is None:
        first = _table(train, columns.numbers, label, options.storage)
        second = None if test is None else _table(test, first.columns, label, options.storage)
        data = build_vectors(first, second, options)
    else:
        data = build_images(train, test, (image, label), wanted, options)
    if label and data.class_names:
        data.class_names = _written_names(train, label, data.class_names)
    left_out, notes = (*places.left_out, *data.origin.left_out), (*places.notes, *data.origin.notes)
    data.origin = replace(data.origin, left_out=left_out, notes=notes)
    return data


def first_rows(path: str, number: int) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Read the cells of the first rows by column as text, a missing one empty; and the types of columns of lists.

    Raises:
        DataError: If there is no file, or one cannot be read.
    """
    rows = ParquetFiles(path, find_places(path).train)
    nested = {field.name: str(field.type) for field in rows.schema if pa.types.is_nested(field.type)}
    names, cells = [name for name in rows.schema.names if name not in nested], dict[str, list[str]]()
    for first, batch in rows.batches(names):
        for name in names if first < number else ():
            cells.setdefault(name, []).extend(map(text_of, batch.column(name).to_pylist()))
        if first >= number:
            break
    return cells, nested


def _find_image(rows: ParquetFiles, columns: ParquetColumns) -> str | None:
    """The column of encoded images, if any."""
    if columns.image is not None:
        check_columns([columns.image], rows.schema.names, rows.name)
        if not holds_images(kind := rows.schema.field(columns.image).type):
            raise DataError(f"data: column {columns.image!r} of {rows.name} holds {kind}, not bytes of images")
        return columns.image
    numbers = any(_is_numeric(field.type) for field in rows.schema)
    found: list[str] = [field.name for field in rows.schema if holds_images(field.type)]
    found = [name for name in found if not numbers or _has_image(rows, name)]
    if columns.numbers is not None or not found:
        return None
    if len(found) > 1:
        raise DataError(f"data: {rows.name} has images in {' and '.join(found)}: set image to one of them")
    return found[0]


def _has_image(rows: ParquetFiles, column: str) -> bool:
    """Whether a column that may hold images does, or holds other bytes."""
    if pa.types.is_struct(rows.schema.field(column).type):
        return True
    for _, batch in rows.batches([column]):
        if cells := [cell for cell in batch.column(column).slice(0, PROBED).to_pylist() if cell]:
            return any(map(is_image, cells))
    return False


def _table(
    rows: ParquetFiles, columns: tuple[str, ...] | None, label: str | None, storage: StoragePolicy
) -> NumericTable:
    have: list[str] = rows.schema.names
    check_columns([label] if label else [], have, rows.name)
    check_columns(columns or (), have, rows.name)
    usual = [name for name in have if name != label and not rows.why_unusual(name)]
    names = columns or tuple(name for name in usual if _is_numeric(rows.schema.field(name).type))
    if not names:
        raise DataError(f"data: {rows.name} has no column of numbers; it has {listed(have)}")
    for name in names:
        if not _is_numeric(kind := rows.schema.field(name).type):
            raise DataError(f"data: column {name!r} of {rows.name} holds {kind}, not numbers: leave it out of columns")
    rows.check_alike(names, _is_numeric, "numbers")
    left_out = () if columns else rows.left_out((*names, label))
    numbers = _read_numbers(rows, names, storage)
    return NumericTable(rows.name, numbers, names, rows.labels(label), label or "", rows.where, left_out)


def _read_numbers(rows: ParquetFiles, names: Sequence[str], storage: StoragePolicy) -> Rows:
    """Read columns (N, F) in double precision, into memory or into a copy on disk."""
    shape = (len(rows), len(names))
    if storage.keeps_on_disk(8 * shape[0] * shape[1], rows.name):
        scratch = ScratchFolder()
        path = scratch.path / "rows.npy"
        _fill(np.lib.format.open_memmap(path, "w+", np.float64, shape), rows, names)
        return NpyFile(path, scratch)
    _fill(table := np.empty(shape), rows, names)
    return table


def _fill(table: np.ndarray[Any, Any], rows: ParquetFiles, names: Sequence[str]) -> None:
    for row, batch in rows.batches(names):
        for i, name in enumerate(names):
            cells = batch.column(name)
            cells = cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells
            numbers = cells.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            table[row : row + batch.num_rows, i] = numbers


def _written_names(rows: ParquetFiles, column: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Names that Hugging Face wrote down for labels that are their numbers; else the labels."""
    try:
        names = json.loads(rows.main.schema.metadata[b"huggingface"])["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):  # none, or damaged: the numbers are labels enough
        return labels
    fits = isinstance(names, list) and all(label.isdecimal() and int(label) < len(names) for label in labels)
    return tuple(str(names[int(label)]) for label in labels) if fits else labels


def _is_numeric(kind: Any) -> bool:
    types = pa.types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind))
