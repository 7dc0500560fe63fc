"""Rows of numbers: standardised on the way out, with the statistics of the rows that are trained on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from allmodes.data.base import DataError, DataInfo, Origin
from allmodes.data.description import listed
from allmodes.data.files.labels import names_of, numbered
from allmodes.data.files.loading import SAMPLED, data_of, split
from allmodes.data.files.missing import Gaps, Missing, Positions
from allmodes.data.files.scratch import Scratch
from allmodes.data.files.source import Items, ItemSource, Subset
from allmodes.data.files.storage import StoragePolicy
from allmodes.data.finite import FiniteData
from allmodes.data.standardisation import COARSE, Standardisation

ROWS = 10_000
"""Rows that are looked at a time."""


class NpyFile:
    """A .npy file whose items are read by position; each process maps it anew."""

    def __init__(self, path: Path, scratch: Scratch | None = None) -> None:
        self.path, self.scratch = path, scratch

    @cached_property
    def array(self) -> np.ndarray[Any, Any]:
        """The file, mapped into memory."""
        array: np.ndarray[Any, Any] = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return array

    @property
    def shape(self) -> tuple[int, ...]:
        """Items and their shape."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers in the file."""
        dtype: np.dtype[Any] = self.array.dtype
        return dtype

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, positions: Any) -> np.ndarray[Any, Any]:
        rows: np.ndarray[Any, Any] = self.array[positions]
        return rows

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "scratch": None}


class Kept:
    """Some rows of a file, in their order."""

    def __init__(self, rows: np.ndarray[Any, Any] | NpyFile, positions: Positions) -> None:
        self.rows, self.positions = rows, positions
        self.shape, self.dtype = (len(positions), *rows.shape[1:]), rows.dtype

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, positions: Any) -> np.ndarray[Any, Any]:
        return self.rows[self.positions[positions]]


Rows = np.ndarray[Any, Any] | NpyFile | Kept
Row: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


class Vectors(ItemSource):
    """Rows (N, F) of numbers, which come out as float32 in standard units."""

    dtype = torch.float32

    def __init__(self, name: str, rows: Rows, labels: Tensor | None, units: Standardisation | None) -> None:
        self.name, self.rows, self.labels, self.units = name, rows, labels, units
        self.shape = tuple(rows.shape[1:])

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def read(self, positions: Sequence[int]) -> Items:
        """Rows, standardised in double precision: large values of small spread keep their digits."""
        x = torch.from_numpy(np.array(self.rows[list(positions)], dtype=np.float64))
        return Items((self.units.standardise(x) if self.units else x).float(), self.labels_at(positions))


class InUnits(ItemSource):
    """Vectors of a source in double precision, which come out as float32 in standard units."""

    dtype = torch.float32

    def __init__(self, source: ItemSource, units: Standardisation | None) -> None:
        self.source, self.units = source, units
        self.name, self.shape, self.labels = source.name, source.shape, source.labels

    def __len__(self) -> int:
        """Number of vectors."""
        return len(self.source)

    def read(self, positions: Sequence[int]) -> Items:
        """Vectors, standardised."""
        x, labels = self.source.read(positions)
        return Items((self.units.standardise(x) if self.units else x).float(), labels)

    def check(self, positions: Iterable[int]) -> None:
        """ImageFormat at the source's items there."""
        self.source.check(positions)


def in_units(train: ItemSource, test: ItemSource, standardise: bool) -> tuple[InUnits, InUnits, Standardisation | None]:
    """Vectors from Python as float32, and their units where they are standardised by those that are trained on.

    Raises:
        DataError: If a coordinate is constant and is to be standardised.
    """
    n = len(train)
    positions = range(n) if standardise else range(0, n, max(1, n // SAMPLED))
    table = Table(train.name, train.read(positions).x.numpy())
    rows = torch.arange(len(positions))
    units = measured(table, rows) if standardise else None
    if not standardise:
        _check_digits(table, rows, "give from_dataset(..., standardise=True)")
    return InUnits(train, units), InUnits(test, units), units


@dataclass(frozen=True)
class Table:
    """What a file of rows holds.

    Attributes:
        name: The file.
        rows: Numbers (N, F); what is not finite is missing.
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

    def call(self, column: int) -> str:
        """What messages call a column."""
        return f"column {self.columns[column]!r} of {self.name}" if self.columns else f"x[:, {column}] of {self.name}"


def vectors(
    train: Table,
    test: Table | None,
    held_out: float,
    standardise: bool,
    keeping: StoragePolicy,
    missing: Missing = "refuse",
) -> FiniteData:
    """Rows as data, standardised by the rows that are trained on.

    Args:
        train: Rows to train on, and to hold out where there is no test table.
        test: Rows that are not trained on.
        held_out: Share of the rows that are not trained on.
        standardise: Whether each column is given zero mean and unit variance.
        keeping: Where the rows are kept.
        missing: What becomes of rows with a missing or infinite number, or a missing label.

    Raises:
        DataError: If a column is constant and is to be standardised, something is missing, or there are too few rows.
    """
    train = whole(train, missing)
    test = None if test is None else whole(test, missing)
    names = names_of(train.labels) if train.labels is not None else ()
    labels = _numbered(train, names)
    if test is None:
        seen, unseen = split(len(train.rows), held_out, labels, train.name)
        units = _units(train, seen, standardise)
        source = Vectors(train.name, train.rows, labels, units)
        pair: tuple[ItemSource, ItemSource] = (Subset(source, seen), Subset(source, unseen))
    else:
        units = _units(train, torch.arange(len(train.rows)), standardise)
        pair = (
            Vectors(train.name, train.rows, labels, units),
            Vectors(test.name, test.rows, _numbered(test, names), units),
        )
    return data_of(*pair, keeping, DataInfo(len(names) or None, names or None, units, origin(train, test)))


def whole(table: Table, missing: Missing) -> Table:
    """The table's rows in which nothing is missing.

    Raises:
        DataError: If something is missing and is to be refused, or nothing else is left.
    """
    others = " or choose other columns" if table.columns else ""
    remedy = f"correct them{others}, or set missing: leave_out to learn from the rows without"
    gaps = Gaps(table.name, len(table.rows), table.where, remedy=remedy)
    for i in range(0, len(table.rows) if table.rows.dtype.kind == "f" else 0, ROWS):
        part = table.rows[i : i + ROWS]
        gaps.look(_names(table), part.reshape(len(part), -1), i)
    gaps.look_at_labels(table.label, table.labels or ())
    if (kept := gaps.kept(missing)) is None:
        return table
    rows = Kept(table.rows, kept) if isinstance(table.rows, NpyFile) else table.rows[kept]
    labels = None if table.labels is None else [table.labels[i] for i in kept]
    return replace(table, rows=rows, labels=labels, left_out=(*table.left_out, *gaps.left_out))


def _names(table: Table) -> Sequence[str]:
    """What messages call the numbers of a row."""
    return table.columns or [f"x[:, {', '.join(map(str, place))}]" for place in np.ndindex(*table.rows.shape[1:])]


def origin(train: Table, test: Table | None) -> Origin:
    """Where the rows come from, and what was left out."""
    if test is None:
        return Origin(train.name, left_out=train.left_out)
    of_test = tuple(f"{what} of {test.name}" for what in test.left_out if what not in train.left_out)
    return Origin(train.name, test.name, (*train.left_out, *of_test))


def _numbered(table: Table, names: tuple[str, ...]) -> Tensor | None:
    return numbered(table.labels, names, table.name) if table.labels is not None and names else None


def _units(table: Table, rows: Tensor, standardise: bool) -> Standardisation | None:
    if standardise:
        return measured(table, rows)
    whole, width = _whole(table, rows), table.rows.shape[1]
    _check_digits(table, rows)
    return (
        Standardisation((0.0,) * width, (1.0,) * width, table.columns, whole) if table.columns or any(whole) else None
    )


def measured(table: Table, rows: Tensor) -> Standardisation:
    """Mean and standard deviation of each column over some rows, in double precision.

    Raises:
        DataError: If a column is constant, or its numbers are too large or too close together for double precision.
    """
    low, high = _span(table, rows)
    for column in np.flatnonzero(low == high)[:1]:
        what = f"{table.call(column)} is constant ({low[column]:g} in all {len(rows)} rows that are trained on)"
        raise DataError(f"data: {what}: leave it out, or set standardise: false")
    mean, std = _moments(table, rows)
    for column in np.flatnonzero(~np.isfinite(mean) | ~np.isfinite(std) | (std == 0))[:1]:
        what = f"{table.call(column)} goes from {low[column]:g} to {high[column]:g}, which cannot be standardised"
        raise DataError(f"data: {what}: give it in other units, or leave it out")
    return Standardisation(tuple(mean.tolist()), tuple(std.tolist()), table.columns, _whole(table, rows))


def _span(table: Table, rows: Tensor) -> tuple[Row, Row]:
    low = np.min([part.min(0) for part in _parts(table, rows)], 0)
    return low, np.max([part.max(0) for part in _parts(table, rows)], 0)


@np.errstate(over="ignore", under="ignore", invalid="ignore")
def _moments(table: Table, rows: Tensor) -> tuple[Row, Row]:
    mean = np.sum([part.sum(0) for part in _parts(table, rows)], 0) / len(rows)
    return mean, np.sqrt(np.sum([((part - mean) ** 2).sum(0) for part in _parts(table, rows)], 0) / len(rows))


def _whole(table: Table, rows: Tensor) -> tuple[bool, ...]:
    """Which columns are whole numbers throughout, as far as doubles can tell."""
    parts = _parts(table, rows)
    return tuple(np.all([((part == np.rint(part)) & (np.abs(part) < 2**53)).all(0) for part in parts], 0).tolist())


def _check_digits(table: Table, rows: Tensor, remedy: str = "set standardise: true") -> None:
    """Networks compute in float32: say where that is too coarse for numbers that are not standardised.

    Raises:
        DataError: If a number is beyond its range.
    """
    low, high = _span(table, rows)
    largest = np.maximum(np.abs(low), np.abs(high))
    for column in np.flatnonzero(largest > np.finfo(np.float32).max)[:1]:
        what = f"{table.call(column)} has numbers up to {largest[column]:g}, more than float32 holds"
        raise DataError(f"data: {what}: {remedy}")
    coarse = np.flatnonzero((high > low) & (high - low < COARSE * largest))
    if len(coarse):
        what = listed([table.call(column) for column in coarse.tolist()])
        how = "the spread is so small beside the numbers that float32 loses digits of it"
        warnings.warn(f"data: {what}: {how}: {remedy}", stacklevel=2)


def _parts(table: Table, rows: Tensor) -> Iterator[np.ndarray[Any, Any]]:
    """The rows in double precision, some at a time."""
    for part in torch.split(rows, ROWS):
        yield np.asarray(table.rows[part.numpy()], dtype=np.float64)
