"""NumPy arrays in .npy and .npz files: vectors, or images as bytes or floats."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from typing_extensions import override

from allmodes.data.base import DataError, DataInfo
from allmodes.data.files.labels import blank_missing, class_names_of, class_numbers, text_of
from allmodes.data.files.loading import ReadOptions, build_data
from allmodes.data.files.pixels import Layout, Range, check_range, has_channels_last, rescale
from allmodes.data.files.source import Items, ItemSource
from allmodes.data.files.storage import StoragePolicy
from allmodes.data.files.vectors import NpyFile, NumericTable, Rows, build_vectors, complete_rows, origin_of
from allmodes.data.finite import FiniteData
from allmodes.text.suggest import did_you_mean

USUAL = ("x", "samples")
"""Names of the array of items that are looked for in an .npz of several."""
MAGIC = b"\x93NUMPY"
"""First bytes of a .npy file."""
NOT_AN_ARRAY = "it is not a .npy or .npz file"
OBJECTS = "it holds Python objects, which are never loaded: save numbers, such as np.stack(items)"


@dataclass(frozen=True)
class ArrayNames:
    """Which arrays are read: names in the .npz, or paths of .npy files."""

    x: str | None = None
    labels: str | None = None


class ArrayImages(ItemSource):
    """Images (N, H, W), (N, H, W, C) or (N, C, H, W) of an array: bytes as they are, floats mapped to [-1, 1].

    Raises:
        DataError: If floats are not in the range.
    """

    def __init__(self, table: NumericTable, names: tuple[str, ...], layout: Layout, low_high: Range | None) -> None:
        self.name, self.rows, self.range = table.name, table.rows, low_high
        self.labels = class_numbers(table.labels, names, table.name)
        as_bytes = self.rows.dtype == np.uint8 and low_high is None
        if not as_bytes:
            extremes = [(float(chunk.min()), float(chunk.max())) for chunk in table.chunks()]
            check_range(self.name, min(low for low, _ in extremes), max(high for _, high in extremes), low_high)
        self.last = has_channels_last(self.name, self.rows.shape, layout)
        self.dtype = torch.uint8 if as_bytes else torch.float32
        self.shape = tuple(self._channels_first(np.zeros((1, *self.rows.shape[1:]), np.uint8)).shape[1:])

    @override
    def __len__(self) -> int:
        return len(self.rows)

    @override
    def read(self, positions: Sequence[int]) -> Items:
        rows = self._channels_first(np.asarray(self.rows[list(positions)]))
        x = torch.from_numpy(rows.astype(rows.dtype.newbyteorder("="), order="C"))
        return Items(x if self.dtype == torch.uint8 else rescale(x.float(), self.range), self.labels_at(positions))

    def _channels_first(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if x.ndim == 3:
            return x[:, None]
        return x.transpose(0, 3, 1, 2) if self.last else x


def read_arrays(
    path: str,
    names: ArrayNames,
    options: ReadOptions,
    test_path: str | None = None,
    test_names: ArrayNames | None = None,
    layout: Layout = "auto",
    low_high: Range | None = None,
) -> FiniteData:
    """Read the items of an array as data: rows (N, F) are vectors, anything of more axes is images.

    Args:
        path: A .npy or .npz file.
        names: Which of its arrays.
        options: How items become data.
        test_path: File of items that are not trained on; by default `path`.
        test_names: Which of its arrays; None where items are held out instead.
        layout: Where the channels of images are.
        low_high: Values that are black and white; None for bytes, and for floats in [-1, 1].

    Raises:
        DataError: If an array is missing or is not as it should be; the message names it.
    """
    train, notes = _table(Path(path), names, options.storage)
    test = None if test_names is None else _table(Path(test_path or path), test_names, options.storage)[0]
    if len(train.rows.shape) == 2:
        data = build_vectors(train, test, options)
    else:
        data = _build_images(train, test, options, layout, low_high)
    used = (names, test_names) if test_names and (test_path or path) == path else (names,)
    left_out = (*data.origin.left_out, *_unused(Path(path), used))
    data.origin = replace(data.origin, left_out=left_out, notes=notes)
    return data


def _build_images(
    train: NumericTable, test: NumericTable | None, options: ReadOptions, layout: Layout, low_high: Range | None
) -> FiniteData:
    train = complete_rows(train, options.missing)
    test = None if test is None else complete_rows(test, options.missing)
    names = class_names_of(train.labels)
    images = ArrayImages(train, names, layout, low_high)
    others = None if test is None else ArrayImages(test, names, layout, low_high)
    return build_data(images, others, options, DataInfo.named(names, origin_of(train, test)))


def _table(path: Path, names: ArrayNames, storage: StoragePolicy) -> tuple[NumericTable, tuple[str, ...]]:
    """Items with their labels, and a note if these are one-hot."""
    name, rows = _array(path, names.x, storage)
    _check_items(name, rows)
    if names.labels is None:
        return NumericTable(name, rows), ()
    where, labels = _labels(path, names.labels)
    notes: tuple[str, ...] = ()
    if labels.ndim == 2 and _is_one_hot(labels):
        notes = (f"labels are one-hot, of {labels.shape[1]} classes",)
        labels = labels.argmax(1)
    if labels.size != len(rows) or labels.shape[:1] != rows.shape[:1]:
        have = f"{where} has shape {labels.shape}, but {name} has {len(rows)} items"
        raise DataError(f"data: {have}: give each item one label")
    texts = blank_missing([text_of(label) for label in labels.reshape(-1).tolist()])
    return NumericTable(name, rows, labels=texts), notes


def _labels(path: Path, name: str) -> tuple[str, np.ndarray[Any, Any]]:
    own = name.lower().endswith(".npy")
    if not own and not _is_archive(path):
        raise DataError(f"data: {path} is not an .npz that could have an array {name!r}: give labels as a .npy file")
    where, rows = _array(Path(name) if own else path, None if own else name, StoragePolicy("resident"))
    if rows.dtype.kind not in "iufbSUM":
        raise DataError(f"data: {where} holds {rows.dtype}: give whole numbers or words")
    return where, np.asarray(rows[...])


def _is_one_hot(labels: np.ndarray[Any, Any]) -> bool:
    """Whether each row has a single 1 and zeros."""
    numeric = labels.dtype.kind in "iufb" and labels.shape[1] > 1
    return numeric and bool(((labels == 0).sum(1) == labels.shape[1] - 1).all() and ((labels == 1).sum(1) == 1).all())


def _unused(path: Path, used: Sequence[ArrayNames]) -> Iterator[str]:
    """Arrays of an archive that are not learned."""
    if _is_archive(path):
        with np.load(path, allow_pickle=False) as file:
            names = {name for pair in used for name in (_usual(file.files, pair.x), pair.labels)}
            yield from (f"array {name!r}" for name in file.files if name not in names)


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".npz" or zipfile.is_zipfile(path)


def _array(path: Path, name: str | None, storage: StoragePolicy) -> tuple[str, Rows]:
    """Read an array; returns its name in messages, and the array."""
    try:
        if _is_archive(path):
            return _member(path, name, storage)
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise DataError(f"data: {path} cannot be read: {NOT_AN_ARRAY}")
        mapped = NpyFile(path.absolute())  # a worker may map it from another folder
        on_disk = storage.keeps_on_disk(mapped.array.nbytes, str(path))
        return str(path), mapped if on_disk else np.load(path, allow_pickle=False)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"data: {path} cannot be read: {error.strerror or NOT_AN_ARRAY}") from None
    except Exception as error:  # numpy and zipfile raise many types for a damaged file
        objects = "Python objects" in str(error) or "Object arrays" in str(error)
        why = OBJECTS if objects else f"it is damaged ({' '.join(str(error).split())})"
        raise DataError(f"data: {path} cannot be read: {why}") from None


def _member(path: Path, name: str | None, storage: StoragePolicy) -> tuple[str, Rows]:
    if storage.memory == "stream":
        raise DataError(f"data: {path} is compressed and cannot be streamed: save the array as .npy")
    with np.load(path, allow_pickle=False) as file:
        have = file.files
        name = _usual(have, name)
        if name is None:
            raise DataError(f"data: {path} has the arrays {', '.join(have) or 'none'}: set x to one of them")
        if name not in have:
            raise DataError(f"data: {path} has no array {name!r}{did_you_mean(name, have)}; it has {', '.join(have)}")
        array = file[name]
        if not isinstance(array, np.ndarray):
            raise DataError(f"data: {name} of {path} is not an array: set x to the name of one")
        return f"{name} of {path}", array


def _usual(have: Sequence[str], name: str | None) -> str | None:
    """The array that is named, or the usual or only one."""
    return name or next((usual for usual in USUAL if usual in have), have[0] if len(have) == 1 else None)


def _check_items(name: str, rows: Rows) -> None:
    """Check that an array holds vectors or images."""
    if len(rows.shape) not in (2, 3, 4):
        forms = "give vectors (N, F) or images (N, H, W), (N, H, W, C) or (N, C, H, W)"
        raise DataError(f"data: {name} has shape {rows.shape}: {forms}")
    if 0 in rows.shape:
        raise DataError(f"data: {name} has shape {rows.shape}: there are no items")
    if rows.dtype.kind not in "fiub":
        raise DataError(f"data: {name} holds {rows.dtype}: give whole numbers or floats")
