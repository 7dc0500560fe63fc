"""Vectors in double precision and their standardisation by the mean and spread of those that are trained on."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from typing_extensions import override

from allmodes.data.base import DataError
from allmodes.data.description import LISTED, listed
from allmodes.data.files.source import Items, ItemSource, chunks
from allmodes.data.standardisation import COARSE, Standardisation

CHUNK = 10_000
"""Rows that are read at a time."""
Row: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


class StandardisedVectors(ItemSource):
    """Vectors of a source in double precision, as float32 in standard units: so large values keep their digits."""

    dtype = torch.float32

    def __init__(self, source: ItemSource, units: Standardisation | None) -> None:
        self.source, self.units = source, units
        self.name, self.shape, self.labels = source.name, source.shape, source.labels

    @override
    def __len__(self) -> int:
        return len(self.source)

    @override
    def read(self, positions: Sequence[int]) -> Items:
        x, labels = self.source.read(positions)
        return Items((self.units.standardise(x) if self.units else x).float(), labels)

    @override
    def check(self, positions: Iterable[int]) -> None:
        self.source.check(positions)


def measure(vectors: ItemSource, columns: tuple[str, ...] = ()) -> Standardisation:
    """Compute mean and standard deviation of each column, in double precision.

    Args:
        vectors: Vectors in double precision.
        columns: Names of the columns, if they have any.

    Raises:
        DataError: If a column is constant, or its numbers are too large or too close together for double precision.
    """
    low, high = _extremes(vectors)
    constant = np.flatnonzero(low == high).tolist()
    if constant:
        what = _describe_constant(vectors, columns, {i: float(low[i]) for i in constant})
        raise DataError(f"data: {what}, or set standardise: false", _without(columns, constant))
    mean, std = _moments(vectors)
    for i in np.flatnonzero(~np.isfinite(mean) | ~np.isfinite(std) | (std == 0))[:1]:
        what = f"{_call(vectors, columns, i)} goes from {low[i]:g} to {high[i]:g}, which cannot be standardised"
        raise DataError(f"data: {what}: give it in other units, or leave it out")
    return Standardisation(tuple(mean.tolist()), tuple(std.tolist()), columns, whole_columns(vectors))


def whole_columns(vectors: ItemSource) -> tuple[bool, ...]:
    """Which columns are whole numbers throughout, within the precision of doubles."""
    whole = [((chunk == np.rint(chunk)) & (np.abs(chunk) < 2**53)).all(0) for chunk in _chunks(vectors)]
    return tuple(np.all(whole, 0).tolist())


def check_precision(vectors: ItemSource, columns: Sequence[str] = (), remedy: str = "set standardise: true") -> None:
    """Warn where float32, in which networks compute, is too coarse for vectors that are not standardised.

    Raises:
        DataError: If a number is beyond its range.
    """
    low, high = _extremes(vectors)
    largest = np.maximum(np.abs(low), np.abs(high))
    for i in np.flatnonzero(largest > np.finfo(np.float32).max)[:1]:
        what = f"{_call(vectors, columns, i)} has numbers up to {largest[i]:g}, more than float32 holds"
        raise DataError(f"data: {what}: {remedy}")
    coarse = np.flatnonzero((high > low) & (high - low < COARSE * largest)).tolist()
    if coarse:
        what = listed([_call(vectors, columns, i) for i in coarse])
        how = "the spread is so small beside the numbers that float32 loses digits of it"
        warnings.warn(f"data: {what}: {how}: {remedy}", stacklevel=2)


def _describe_constant(vectors: ItemSource, columns: Sequence[str], values: dict[int, float]) -> str:
    """Name all columns that are constant, with their values."""
    where = f"in all {len(vectors)} rows that are trained on"
    if len(values) == 1:
        ((i, value),) = values.items()
        return f"{_call(vectors, columns, i)} is constant ({value:g} {where}): leave it out"
    named = [f"{columns[i]!r} ({value:g})" if columns else f"x[:, {i}] ({value:g})" for i, value in values.items()]
    each = listed(named, len(named) if columns else LISTED)
    return f"columns {each} of {vectors.name} are constant {where}: leave them out"


def _without(columns: Sequence[str], constant: Sequence[int]) -> dict[str, Any]:
    """The settings that learn the other columns; without names for them, none is standardised."""
    others = [name for i, name in enumerate(columns) if i not in constant]
    return {"columns": others} if others else {} if columns else {"standardise": False}


def _extremes(vectors: ItemSource) -> tuple[Row, Row]:
    low, high = zip(*((chunk.min(0), chunk.max(0)) for chunk in _chunks(vectors)), strict=True)
    return np.min(low, 0), np.max(high, 0)


@np.errstate(over="ignore", under="ignore", invalid="ignore")
def _moments(vectors: ItemSource) -> tuple[Row, Row]:
    mean = np.sum([chunk.sum(0) for chunk in _chunks(vectors)], 0) / len(vectors)
    return mean, np.sqrt(np.sum([((chunk - mean) ** 2).sum(0) for chunk in _chunks(vectors)], 0) / len(vectors))


def _chunks(vectors: ItemSource) -> Iterator[Row]:
    return (vectors.read(positions).x.numpy() for positions in chunks(len(vectors), CHUNK))


def _call(vectors: ItemSource, columns: Sequence[str], i: int) -> str:
    return f"column {columns[i]!r} of {vectors.name}" if columns else f"x[:, {i}] of {vectors.name}"
