"""Parquet files: a column of encoded images as Hugging Face writes them, or columns of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from allmodes.data.base import DataError, Origin
from allmodes.data.finite import FiniteData
from allmodes.data.labels import names_of, numbered
from allmodes.data.missing import Gaps, Missing, Positions
from allmodes.data.pictures import Wanted, made_alike
from allmodes.data.rows import Cells, Parts
from allmodes.data.scratch import Scratch
from allmodes.data.sources import Facts, Keeping, data_of, parts
from allmodes.data.tables import chosen, label_of, refuse_unknown
from allmodes.data.vectors import NpyFile, Rows, Table, vectors

GLOB = "*?["


@dataclass(frozen=True)
class Columns:
    """What is read of a file.

    Attributes:
        image: Column of encoded images, or None for the only one there is, if any.
        numbers: Columns of numbers, or None for all, where there are no images.
        label: Column of labels, or None for the one called `label`, if any.
    """

    image: str | None = None
    numbers: tuple[str, ...] | None = None
    label: str | None = None


def parquet_data(
    path: str,
    columns: Columns,
    wanted: Wanted,
    held_out: float,
    keeping: Keeping,
    test_path: str | None = None,
    standardise: bool = True,
    missing: Missing = "refuse",
) -> FiniteData:
    """The rows of a Parquet file, of a folder of them, or of all that match a pattern such as `part-*.parquet`.

    Args:
        path: The file, folder or pattern; files `train*` and `test*` of a folder are trained on and held out.
        columns: What is read.
        wanted: Size and channels of images.
        held_out: Share of the rows that are not trained on, where there are no test files.
        keeping: Where the items are kept.
        test_path: File, folder or pattern of rows that are not trained on.
        standardise: Whether each column of numbers is given zero mean and unit variance.
        missing: What becomes of rows with a missing or infinite number, or a missing label.

    Raises:
        DataError: If a file, a column or a cell is not as it should be; the message names it.
    """
    files = found(path)
    seen, unseen = _divided(files) if test_path is None else (files, found(test_path))
    train = Parts(path, seen)
    test = Parts(test_path or path, unseen) if unseen else None
    image = image_column(train, columns)
    if image is None:
        first = _table(train, columns, keeping)
        same = Columns(None, first.columns, label_of(columns.label, columns.numbers, train.schema.names, path))
        second = None if test is None else _table(test, same, keeping)
        return vectors(first, second, held_out, standardise, keeping, missing)
    return _images(train, test, Columns(image, None, columns.label), wanted, held_out, keeping, missing)


def found(path: str) -> list[Path]:
    """The files that a path, folder or pattern names, in the order of their names.

    Raises:
        DataError: If there are none.
    """
    place = Path(path)
    if place.is_file():
        return [place]
    if any(sign in path for sign in GLOB):
        files = sorted(Path(place.anchor or ".").glob(str(place.relative_to(place.anchor))))
    else:
        files = sorted(place.rglob("*.parquet"))
    if not files:
        raise DataError(f"data: {path} is neither a Parquet file nor a folder or pattern of some")
    return files


def image_column(rows: Parts, columns: Columns) -> str | None:
    """The column of encoded images, if any.

    Raises:
        DataError: If that which is named is none, or one of several has to be named.
    """
    holding: list[str] = [field.name for field in rows.schema if _holds_images(field.type)]
    if columns.image is not None:
        refuse_unknown([columns.image], rows.schema.names, rows.name)
        if columns.image not in holding:
            kind = rows.schema.field(columns.image).type
            raise DataError(f"data: column {columns.image!r} of {rows.name} holds {kind}, not bytes of images")
        return columns.image
    if columns.numbers is not None or not holding:
        return None
    if len(holding) > 1:
        raise DataError(f"data: {rows.name} has images in {' and '.join(holding)}: say which with image")
    return holding[0]


def _images(
    train: Parts,
    test: Parts | None,
    columns: Columns,
    wanted: Wanted,
    held_out: float,
    keeping: Keeping,
    missing: Missing,
) -> FiniteData:
    label = label_of(columns.label, None, train.schema.names, train.name)
    first = _labelled(train, label, missing)
    names = names_of(first.words or ())
    seen = first.cells(columns.image or "", names, keeping)
    source, facts = made_alike(seen, wanted), Facts(len(names) or None, names or None, origin=Origin(train.name))
    if test is None:
        return data_of(*parts(source, held_out), keeping, replace(facts, origin=first.origin()))
    refuse_unknown([name for name in (columns.image, label) if name], test.schema.names, test.name)
    second = _labelled(test, label, missing)
    unseen = made_alike(second.cells(columns.image or "", names, keeping), wanted, seen.look)
    return data_of(source, unseen, keeping, replace(facts, origin=first.origin(second)))


@dataclass(frozen=True)
class _Labelled:
    """Rows with their labels, if any; `kept` are the positions of those whose label is not missing."""

    rows: Parts
    words: Sequence[str] | None
    kept: Positions | None
    left_out: tuple[str, ...]

    def cells(self, image: str, names: tuple[str, ...], keeping: Keeping) -> Cells:
        """Their images."""
        labels = numbered(self.words, names, self.rows.name) if self.words else None
        return Cells(self.rows, image, labels, keeping, self.kept)

    def origin(self, test: _Labelled | None = None) -> Origin:
        """Where they come from, and what was left out."""
        of_test = [f"{what} of {test.rows.name}" for what in test.left_out] if test else []
        return Origin(self.rows.name, test.rows.name if test else "", (*self.left_out, *of_test))


def _labelled(rows: Parts, label: str | None, missing: Missing) -> _Labelled:
    words = rows.labels(label)
    gaps = Gaps(rows.name, len(rows), rows.where)
    gaps.look_at_labels(label or "", words or ())
    kept = gaps.kept(missing)
    words = [words[i] for i in kept] if words and kept is not None else words
    return _Labelled(rows, words, kept, gaps.left_out)


def _table(rows: Parts, columns: Columns, keeping: Keeping) -> Table:
    label = label_of(columns.label, columns.numbers, rows.schema.names, rows.name)
    numeric = [field.name for field in rows.schema if _is_numeric(field.type) and field.name != label]
    names = chosen(columns.numbers, rows.schema.names, numeric, rows.name)
    for name in names:
        if not _is_numeric(kind := rows.schema.field(name).type):
            raise DataError(f"data: column {name!r} of {rows.name} holds {kind}, not numbers: leave it out of columns")
    shape = (len(rows), len(names))
    if keeping.streams(8 * shape[0] * shape[1], rows.name):
        scratch = Scratch()
        path = scratch.folder / "rows.npy"
        _fill(np.lib.format.open_memmap(path, "w+", np.float64, shape), rows, names)
        table: Rows = NpyFile(path, scratch)
    else:
        _fill(table := np.empty(shape), rows, names)
    left_out = () if columns.numbers else _others(rows.schema, (*names, label))
    return Table(rows.name, table, names, rows.labels(label), label or "", rows.where, left_out)


def _others(schema: Any, learned: Sequence[str | None]) -> tuple[str, ...]:
    """The columns that are not learned, and why."""
    return tuple(f"column {field.name!r} ({field.type})" for field in schema if field.name not in learned)


def _fill(table: np.ndarray[Any, Any], rows: Parts, names: Sequence[str]) -> None:
    """Write the numbers (N, F) into a table."""
    for row, batch in rows.batches(names):
        part = table[row : row + batch.num_rows]
        for i, name in enumerate(names):
            part[:, i] = batch.column(name).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _divided(files: Sequence[Path]) -> tuple[Sequence[Path], Sequence[Path]]:
    """Files to train on and to hold out, by their names, where there are both."""
    train, test = ([file for file in files if file.name.startswith(word)] for word in ("train", "test"))
    return (train, test) if train and test else (files, [])


def _holds_images(kind: Any) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_images(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_numeric(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind))
