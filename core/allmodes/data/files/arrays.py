"""NumPy arrays in .npy and .npz files: vectors, or images as bytes or floats."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from allmodes.data.base import DataError, DataInfo
from allmodes.data.files.labels import names_of, numbered, text_of, without_missing
from allmodes.data.files.loading import data_of, parts
from allmodes.data.files.missing import Missing
from allmodes.data.files.source import Items, ItemSource
from allmodes.data.files.storage import StoragePolicy
from allmodes.data.files.vectors import ROWS, NpyFile, Rows, Table, origin, vectors, whole
from allmodes.data.finite import FiniteData
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import Shape

Layout: TypeAlias = Literal["auto", "NHWC", "NCHW"]
Range: TypeAlias = tuple[float, float]

USUAL = ("x", "samples")
"""Names of the array of items that are looked for in an .npz of several."""
CHANNELS = (1, 3)
MAGIC = b"\x93NUMPY"
"""How a .npy file begins."""


@dataclass(frozen=True)
class Chosen:
    """Which arrays are read: names in the .npz, or paths of .npy files."""

    x: str | None = None
    labels: str | None = None


class Pictures(ItemSource):
    """Images (N, H, W), (N, H, W, C) or (N, C, H, W) of an array: bytes as they are, floats mapped to [-1, 1]."""

    def __init__(self, name: str, rows: Rows, labels: Tensor | None, layout: Layout, low_high: Range | None) -> None:
        self.name, self.rows, self.labels, self.range = name, rows, labels, low_high
        self.last = layout_of(name, rows.shape, layout) == "NHWC"
        self.dtype = torch.uint8 if rows.dtype == np.uint8 and low_high is None else torch.float32
        self.shape = tuple(self._first(np.zeros((1, *rows.shape[1:]), np.uint8)).shape[1:])

    def __len__(self) -> int:
        """Number of images."""
        return len(self.rows)

    def read(self, positions: Sequence[int]) -> Items:
        """Images with their channels first."""
        rows = self._first(np.asarray(self.rows[list(positions)]))
        x = torch.from_numpy(rows.astype(rows.dtype.newbyteorder("="), order="C"))
        return Items(x if self.dtype == torch.uint8 else self._mapped(x.float()), self.labels_at(positions))

    def _first(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if x.ndim == 3:
            return x[:, None]
        return x.transpose(0, 3, 1, 2) if self.last else x

    def _mapped(self, x: Tensor) -> Tensor:
        low, high = self.range or (-1.0, 1.0)
        return x if (low, high) == (-1, 1) else (x - low) * (2 / (high - low)) - 1


def arrays(
    path: str,
    train: Chosen,
    held_out: float,
    keeping: StoragePolicy,
    test_path: str | None = None,
    test: Chosen | None = None,
    layout: Layout = "auto",
    low_high: Range | None = None,
    standardise: bool = True,
    missing: Missing = "refuse",
) -> FiniteData:
    """The items of an array as data: rows (N, F) are vectors, anything of more axes is images.

    Args:
        path: A .npy or .npz file.
        train: Which of its arrays.
        held_out: Share of the items that are not trained on, where no test items are given.
        keeping: Where the items are kept.
        test_path: File of items that are not trained on; by default `path`.
        test: Which of its arrays; None where items are held out instead.
        layout: Where the channels of images are.
        low_high: Values that are black and white; None for bytes, and for floats in [-1, 1].
        standardise: Whether each column of vectors is given zero mean and unit variance.
        missing: What becomes of items with a missing or infinite number, or a missing label.

    Raises:
        DataError: If an array is missing or is not as it should be; the message names it.
    """
    seen = _table(Path(path), train, keeping)
    unseen = None if test is None else _table(Path(test_path or path), test, keeping)
    data = _data(seen, unseen, held_out, keeping, layout, low_high, standardise, missing)
    used = (train, test) if test and (test_path or path) == path else (train,)
    left_out = (*data.origin.left_out, *_unused(Path(path), used))
    data.origin = replace(data.origin, left_out=left_out, notes=_notes(Path(path), train, seen))
    return data


def _data(
    seen: Table,
    unseen: Table | None,
    held_out: float,
    keeping: StoragePolicy,
    layout: Layout,
    low_high: Range | None,
    standardise: bool,
    missing: Missing,
) -> FiniteData:
    if len(seen.rows.shape) == 2:
        return vectors(seen, unseen, held_out, standardise, keeping, missing)
    seen, unseen = whole(seen, missing), None if unseen is None else whole(unseen, missing)
    names = names_of(seen.labels) if seen.labels is not None else ()
    facts = DataInfo(len(names) or None, names or None, origin=origin(seen, unseen))
    source = _pictures(seen, names, layout, low_high)
    if unseen is None:
        return data_of(*parts(source, held_out), keeping, facts)
    return data_of(source, _pictures(unseen, names, layout, low_high), keeping, facts)


def layout_of(name: str, shape: Shape, layout: Layout) -> Layout:
    """Where the channels are: as said, or as far as 1 or 3 channels tell.

    Raises:
        DataError: If they could be at either place or at none.
    """
    if layout != "auto" or len(shape) == 3:
        return layout
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if first == last:
        raise DataError(f"data: {name} has shape {shape}: say where its channels are, layout: NHWC or NCHW")
    return "NHWC" if last else "NCHW"


def refuse_values(name: str, low: float, high: float, low_high: Range | None) -> None:
    """Refuse images that are not floats within [-1, 1], or within the range that was said."""
    least, most = low_high or (-1.0, 1.0)
    if least <= low and high <= most and (low_high or low < 0):
        return
    have = f"data: {name} has values from {low:g} to {high:g}"
    if low_high:
        raise DataError(f"{have}, beyond range: [{least:g}, {most:g}]")
    guess = next((f", such as range: [0, {top}]" for top in (1, 255) if low >= 0 and high <= top), "")
    raise DataError(f"{have}, but images are bytes or floats in [-1, 1]: say what is black and white{guess}")


def _pictures(table: Table, names: tuple[str, ...], layout: Layout, low_high: Range | None) -> Pictures:
    labels = numbered(table.labels, names, table.name) if table.labels is not None and names else None
    if table.rows.dtype != np.uint8 or low_high is not None:
        spans = [(float(part.min()), float(part.max())) for part in _parts(table.rows)]
        refuse_values(table.name, min(low for low, _ in spans), max(high for _, high in spans), low_high)
    return Pictures(table.name, table.rows, labels, layout, low_high)


def _table(path: Path, chosen: Chosen, keeping: StoragePolicy) -> Table:
    name, rows = _array(path, chosen.x, keeping)
    _refuse(name, rows)
    if chosen.labels is None:
        return Table(name, rows)
    where, labels = _labels(path, chosen.labels)
    if labels.ndim == 2 and _is_one_hot(labels):
        labels = labels.argmax(1)
    if labels.size != len(rows) or labels.shape[:1] != rows.shape[:1]:
        what = f"{where} has shape {labels.shape}, but {name} has {len(rows)} items"
        raise DataError(f"data: {what}: give each item one label")
    return Table(name, rows, labels=without_missing([text_of(label) for label in labels.reshape(-1).tolist()]))


def _labels(path: Path, name: str) -> tuple[str, np.ndarray[Any, Any]]:
    own = name.lower().endswith(".npy")
    if not own and not _is_archive(path):
        raise DataError(f"data: {path} is no .npz that could have an array {name!r}: give labels as a .npy file")
    where, rows = _array(Path(name) if own else path, None if own else name, StoragePolicy("resident"))
    if rows.dtype.kind not in "iufbSUM":
        raise DataError(f"data: {where} holds {rows.dtype}: give whole numbers or words")
    return where, np.asarray(rows[...])


def _is_one_hot(labels: np.ndarray[Any, Any]) -> bool:
    """Whether each row has a single 1 and zeros."""
    numeric = labels.dtype.kind in "iufb" and labels.shape[1] > 1
    return numeric and bool(((labels == 0).sum(1) == labels.shape[1] - 1).all() and ((labels == 1).sum(1) == 1).all())


def _notes(path: Path, chosen: Chosen, table: Table) -> tuple[str, ...]:
    if chosen.labels is None or table.labels is None:
        return ()
    _, labels = _labels(path, chosen.labels)
    return (f"labels are one-hot, of {labels.shape[1]} classes",) if labels.ndim == 2 and labels.shape[1] > 1 else ()


def _unused(path: Path, used: Sequence[Chosen]) -> Iterator[str]:
    """Arrays of an archive that are not learned."""
    if _is_archive(path):
        with np.load(path, allow_pickle=False) as file:
            names = {name for chosen in used for name in (_usual(file.files, chosen.x), chosen.labels)}
            yield from (f"array {name!r}" for name in file.files if name not in names)


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".npz" or zipfile.is_zipfile(path)


def _array(path: Path, name: str | None, keeping: StoragePolicy) -> tuple[str, Rows]:
    """An array and what messages call it."""
    try:
        if _is_archive(path):
            return _member(path, name, keeping)
        _refuse_foreign(path)
        whole = NpyFile(path.absolute())  # a worker may map it from another folder
        return str(path), whole if keeping.streams(whole.array.nbytes, str(path)) else np.load(path, allow_pickle=False)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"data: {path} cannot be read: {error.strerror or FOREIGN}") from None
    except Exception as error:  # numpy and zipfile raise many types for a damaged file
        objects = "it holds Python objects, which are never loaded: save numbers, such as np.stack(items)"
        what = (
            objects if "Python objects" in str(error) or "Object arrays" in str(error) else f"it is damaged ({error})"
        )
        raise DataError(f"data: {path} cannot be read: {' '.join(what.split())}") from None


FOREIGN = "it is no .npy or .npz file"


def _refuse_foreign(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise DataError(f"data: {path} cannot be read: {FOREIGN}")


def _member(path: Path, name: str | None, keeping: StoragePolicy) -> tuple[str, Rows]:
    if keeping.memory == "stream":
        raise DataError(f"data: {path} is compressed and cannot be streamed: save the array as .npy")
    with np.load(path, allow_pickle=False) as file:
        have = file.files
        name = _usual(have, name)
        if name is None:
            raise DataError(f"data: {path} has the arrays {', '.join(have) or 'none'}: say which one with x")
        if name not in have:
            raise DataError(f"data: {path} has no array {name!r}{did_you_mean(name, have)}; it has {', '.join(have)}")
        array = file[name]
        if not isinstance(array, np.ndarray):
            raise DataError(f"data: {name} of {path} is no array: say which one with x")
        return f"{name} of {path}", array


def _usual(have: Sequence[str], name: str | None) -> str | None:
    """The array that is named, or the usual or only one."""
    return name or next((usual for usual in USUAL if usual in have), have[0] if len(have) == 1 else None)


def _refuse(name: str, rows: Rows) -> None:
    """Refuse what is neither vectors nor images."""
    if len(rows.shape) not in (2, 3, 4):
        what = "give vectors (N, F) or images (N, H, W), (N, H, W, C) or (N, C, H, W)"
        raise DataError(f"data: {name} has shape {rows.shape}: {what}")
    if 0 in rows.shape:
        raise DataError(f"data: {name} has shape {rows.shape}: there are no items")
    if rows.dtype.kind not in "fiub":
        raise DataError(f"data: {name} holds {rows.dtype}: give whole numbers or floats")


def _parts(rows: Rows) -> list[Any]:
    """Views of the items, some at a time."""
    return [rows[i : i + ROWS] for i in range(0, len(rows), ROWS)]
