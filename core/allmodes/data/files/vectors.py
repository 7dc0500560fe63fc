"""Rows of numbers that a file holds, as vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.base import DataInfo, Origin
from allmodes.data.files.labels import class_names_of, class_numbers
from allmodes.data.files.loading import ReadOptions, build_data, hold_out
from allmodes.data.files.missing import Gaps, Missing, Positions
from allmodes.data.files.source import Items, ItemSource, chunks
from allmodes.data.files.standardise import CHUNK, StandardisedVectors, check_precision, measure, whole_columns
from allmodes.data.files.storage import ScratchFolder
from allmodes.data.finite import FiniteData
from allmodes.data.standardisation import Standardisation


class NpyFile:
    """Items of a .npy file, or some of them, which are read by position; each process maps the file anew.

    Args:
        path: The file.
        scratch: The temporary folder that holds it, if any.
        kept: Positions in the file of the items, if not all.
    """

    def __init__(self, path: Path, scratch: ScratchFolder | None = None, kept: Positions | None = None) -> None:
        self.path, self.scratch, self.kept = path, scratch, kept

    @cached_property
    def array(self) -> np.ndarray[Any, Any]:
        """The file, mapped into memory."""
        array: np.ndarray[Any, Any] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return array

    @property
    def shape(self) -> tuple[int, ...]:
        """Items and their shape."""
        return (len(self), *self.array.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers in the file."""
        dtype: np.dtype[Any] = self.array.dtype
        return dtype

    def __len__(self) -> int:
        return len(self.array if self.kept is None else self.kept)

    def __getitem__(self, positions: Any) -> np.ndarray[Any, Any]:
        rows: np.ndarray[Any, Any] = self.array[positions if self.kept is None else self.kept[positions]]
        return rows

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "scratch": None, "kept": self.kept}


Rows: TypeAlias = np.ndarray[Any, Any] | NpyFile


@dataclass(frozen=True)
class NumericTable:
    """The numbers of a file: vectors, or images of an array.

    Attributes:
        name: The file, as messages call it.
        rows: Numbers (N, ...); what is not finite is missing.
        columns: Names of the columns, if they have any.
        labels: The rows' labels as the file writes them, if there are any; a missing one is the empty text.
        label: What messages call the labels.
        where: What messages call a row; by default an item, counted from 0.
        left_out: What of the file is not learned, and why.
    """

    name: str
    rows: Rows
    columns: tuple[str, ...] = ()
    labels: Sequence[str] | None = None
    label: str = "labels"
    where: Callable[[int], str] = "item {}".format
    left_out: tuple[str, ...] = ()

    def chunks(self) -> Iterator[np.ndarray[Any, Any]]:
        """The rows, some at a time."""
        return (self.rows[positions.start : positions.stop] for positions in chunks(len(self.rows), CHUNK))


class RowSource(ItemSource):
    """Rows (N, F) of a table, in double precision."""

    dtype = torch.float64

    def __init__(self, table: NumericTable, labels: Tensor | None) -> None:
        self.name, self.rows, self.labels = table.name, table.rows, labels
        self.shape = tuple(table.rows.shape[1:])

    @override
    def __len__(self) -> int:
        return len(self.rows)

    @override
    def read(self, positions: Sequence[int]) -> Items:
        rows = np.array(self.rows[list(positions)], dtype=np.float64)
        return Items(torch.from_numpy(rows), self.labels_at(positions))


def build_vectors(train: NumericTable, test: NumericTable | None, options: ReadOptions) -> FiniteData:
    """Build data of rows, standardised by those that are trained on.

    Args:
        train: Rows to train on, and to hold out where there is no test table.
        test: Rows that are not trained on.
        options: How they become data.

    Raises:
        DataError: If a column is constant and is to be standardised, something is missing, or there are too few rows.
    """
    train = complete_rows(train, options.missing)
    test = None if test is None else complete_rows(test, options.missing)
    names = class_names_of(train.labels)
    rows = RowSource(train, class_numbers(train.labels, names, train.name))
    pair: tuple[ItemSource, ItemSource]
    if test is None:
        pair = hold_out(rows, options.held_out)
    else:
        pair = rows, RowSource(test, class_numbers(test.labels, names, test.name))
    units = measure(pair[0], train.columns) if options.standardise else _identity(pair[0], train.columns)
    seen, unseen = (StandardisedVectors(source, units) for source in pair)
    return build_data(seen, unseen, options, DataInfo.named(names, origin_of(train, test), units))


def complete_rows(table: NumericTable, missing: Missing) -> NumericTable:
    """Keep the rows in which nothing is missing.

    Raises:
        DataError: If something is missing and is to be refused, or nothing else is left.
    """
    others = " or choose other columns" if table.columns else ""
    remedy = f"correct them{others}, or set missing: leave_out to learn from the rows without"
    gaps = Gaps(table.name, len(table.rows), table.where, remedy, bool(table.columns))
    first, shape = 0, table.rows.shape[1:]
    columns = table.columns or [f"x[:, {', '.join(map(str, place))}]" for place in np.ndindex(*shape)]
    for chunk in table.chunks() if table.rows.dtype.kind == "f" else ():
        gaps.count(columns, chunk.reshape(len(chunk), -1), first)
        first += len(chunk)
    gaps.count_labels(table.label, table.labels or ())
    if (kept := gaps.complete_rows(missing)) is None:
        return table
    rows = NpyFile(table.rows.path, table.rows.scratch, kept) if isinstance(table.rows, NpyFile) else table.rows[kept]
    labels = None if table.labels is None else [table.labels[i] for i in kept]
    return replace(table, rows=rows, labels=labels, left_out=(*table.left_out, *gaps.left_out))


def origin_of(train: NumericTable, test: NumericTable | None) -> Origin:
    """Where the rows come from, and what was left out."""
    origin = Origin(train.name, left_out=train.left_out)
    return origin if test is None else origin.with_test(test.name, test.left_out)


def _identity(rows: ItemSource, columns: tuple[str, ...]) -> Standardisation | None:
    """Names of columns and whole numbers of rows that are not standardised."""
    check_precision(rows, columns)
    width, whole = rows.shape[0], whole_columns(rows)
    return Standardisation((0.0,) * width, (1.0,) * width, columns, whole) if columns or any(whole) else None
