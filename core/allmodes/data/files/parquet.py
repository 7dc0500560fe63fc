"""Parquet files: a column of encoded images as Hugging Face writes them, or columns of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from allmodes.data.base import DataError, DataInfo, Origin
from allmodes.data.description import counted
from allmodes.data.files.csv_files import chosen, label_of, refuse_unknown
from allmodes.data.files.images import ImageOptions, is_image, made_alike
from allmodes.data.files.labels import names_of, numbered
from allmodes.data.files.loading import data_of, parts
from allmodes.data.files.missing import Gaps, Missing, Positions
from allmodes.data.files.parquet_images import Cells, Parts
from allmodes.data.files.places import Found, Item, common, divided, is_private, named, once, walk
from allmodes.data.files.scratch import Scratch
from allmodes.data.files.storage import StoragePolicy
from allmodes.data.files.vectors import NpyFile, Rows, Table, vectors
from allmodes.data.finite import FiniteData

GLOB = "*?["
SUFFIXES = (".parquet", ".pq", ".parq")
PROBED = 20
"""Cells that show whether bytes are images."""


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
    wanted: ImageOptions,
    held_out: float,
    keeping: StoragePolicy,
    test_path: str | None = None,
    standardise: bool = True,
    missing: Missing = "refuse",
) -> FiniteData:
    """The rows of a Parquet file, of a folder of them, or of all that match a pattern such as `part-*.parquet`.

    Args:
        path: The file, folder or pattern; names of folders or files such as `train` and `test` tell what is held out.
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
    places = placed(path, test_path)
    train = Parts(path, places.train)
    test = Parts(places.held, places.test) if places.test else None
    image = image_column(train, columns)
    label = label_of(columns.label, columns.numbers if image is None else None, train.schema.names, path)
    if image is None:
        first = _table(train, columns, label, keeping)
        second = None if test is None else _table(test, Columns(None, first.columns, label), label, keeping)
        data = vectors(first, second, held_out, standardise, keeping, missing)
    else:
        data = _images(train, test, image, label, wanted, held_out, keeping, missing)
    if label and data.class_names:
        data.class_names = train.class_names(label, data.class_names) or data.class_names
    data.origin = replace(
        data.origin, left_out=(*places.left_out, *data.origin.left_out), notes=(*places.notes, *data.origin.notes)
    )
    return data


@dataclass(frozen=True)
class Places:
    """The files of paths.

    Attributes:
        train: To train on.
        test: To hold out, if any are.
        held: What messages call these.
        left_out: Files that are neither, and why.
        notes: What else may surprise.
    """

    train: list[Item]
    test: list[Item]
    held: str
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def placed(path: str, test_path: str | None = None) -> Places:
    """The files that are trained on and held out, each once.

    Args:
        path: A file, folder or pattern; names of folders or files tell what of it is held out.
        test_path: Where what is held out is, if it is elsewhere; where names tell, that of it.

    Raises:
        DataError: If there are none.
    """
    found = found_at(path)
    halves = divided(found, path, any_file=True)
    if test_path is None:
        held = f"{path}/{halves.held}"
        return Places(halves.train, halves.test or [], held, (*found.left_out, *halves.left_out), tuple(found.notes))
    other = found_at(test_path)
    split = divided(other, test_path, any_file=True)
    test = split.train if split.test is None else split.test
    within = set(common(halves.train, test))
    train = [item for item in halves.train if item not in within]
    if not train:
        raise DataError(
            f"data: path {path} and test_path {test_path} name the same files: there is nothing to train on"
        )
    rest = len(found.items) - len(train)
    left = (f"{counted(rest, 'file')} of {path} (test_path is held out)",) if rest else ()
    return Places(train, test, test_path, (*found.left_out, *left), (*found.notes, *other.notes))


def found_at(path: str) -> Found:
    """The files that a path, folder or pattern names, in the order of their names, each once.

    Raises:
        DataError: If there are none.
    """
    place = Path(path)
    if place.is_file():
        return Found([Item(place, (place.name,))])
    found = walk(place, SUFFIXES) if place.is_dir() else _matching(place)
    if not found.items:
        there = f"; there is {', '.join(found.left_out)}" if found.left_out else ""
        raise DataError(f"data: {path} is neither a Parquet file nor a folder or pattern of some{there}")
    found.items, again = once(found.items, lambda item: None)
    found.left_out += [f"{named([str(item.path) for item in again])} (a link to another file)"] if again else []
    return found


def _matching(pattern: Path) -> Found:
    """The files that a pattern matches, and those of folders that it matches."""
    found, first = Found(), next((i for i, part in enumerate(pattern.parts) if set(part) & set(GLOB)), None)
    if first is None:
        return found
    above = Path(*pattern.parts[:first])
    for place in above.glob(str(Path(*pattern.parts[first:]))):
        parts = place.relative_to(above).parts
        if any(is_private(part, True) for part in parts[:-1]) or is_private(parts[-1], place.is_dir()):
            found.left_out.append(f"{place} (hidden, or a system's own)")
        elif place.is_dir():
            within = walk(place, SUFFIXES)
            found.items += [item._replace(parts=(*parts, *item.parts)) for item in within.items]
        else:
            found.items.append(Item(place, parts))
    return found


def image_column(rows: Parts, columns: Columns) -> str | None:
    """The column of encoded images, if any.

    Raises:
        DataError: If that which is named is none, or one of several has to be named.
    """
    holding: list[str] = [field.name for field in rows.schema if _holds_images(field.type)]
    numbers = any(_is_numeric(field.type) for field in rows.schema)
    if columns.image is not None:
        refuse_unknown([columns.image], rows.schema.names, rows.name)
        if columns.image not in holding:
            kind = rows.schema.field(columns.image).type
            raise DataError(f"data: column {columns.image!r} of {rows.name} holds {kind}, not bytes of images")
        return columns.image
    holding = [name for name in holding if not numbers or _has_image(rows, name)]
    if columns.numbers is not None or not holding:
        return None
    if len(holding) > 1:
        raise DataError(f"data: {rows.name} has images in {' and '.join(holding)}: say which with image")
    return holding[0]


def _has_image(rows: Parts, column: str) -> bool:
    """Whether a column that may hold images does, or holds other bytes."""
    if pa.types.is_struct(rows.schema.field(column).type):
        return True
    for _, batch in rows.batches([column]):
        cells = [cell for cell in batch.column(column).slice(0, PROBED).to_pylist() if cell]
        if cells:
            return any(map(is_image, cells))
    return False


def _images(
    train: Parts,
    test: Parts | None,
    image: str,
    label: str | None,
    wanted: ImageOptions,
    held_out: float,
    keeping: StoragePolicy,
    missing: Missing,
) -> FiniteData:
    first = _labelled(train, image, label, missing)
    names = names_of(first.words or ())
    seen = first.cells(image, names, keeping)
    source, facts = made_alike(seen, wanted), DataInfo(len(names) or None, names or None)
    notes = seen.notes
    if test is None:
        return data_of(*parts(source, held_out), keeping, replace(facts, origin=first.origin(notes)))
    refuse_unknown([name for name in (image, label) if name], test.schema.names, test.name)
    second = _labelled(test, image, label, missing)
    unseen = made_alike(second.cells(image, names, keeping), wanted, seen.look)
    return data_of(source, unseen, keeping, replace(facts, origin=first.origin(notes, second)))


@dataclass(frozen=True)
class _Labelled:
    """Rows with their labels, if any; `kept` are the positions of those whose label is not missing."""

    rows: Parts
    words: Sequence[str] | None
    kept: Positions | None
    left_out: tuple[str, ...]

    def cells(self, image: str, names: tuple[str, ...], keeping: StoragePolicy) -> Cells:
        """Their images."""
        labels = numbered(self.words, names, self.rows.name) if self.words else None
        return Cells(self.rows, image, labels, keeping, self.kept)

    def origin(self, notes: tuple[str, ...], test: _Labelled | None = None) -> Origin:
        """Where they come from, and what was left out."""
        of_test = [f"{what} of {test.rows.name}" for what in test.left_out if what not in self.left_out] if test else []
        return Origin(self.rows.name, test.rows.name if test else "", (*self.left_out, *of_test), notes)


def _labelled(rows: Parts, image: str, label: str | None, missing: Missing) -> _Labelled:
    rows.refuse_mixed([image], _holds_images, "images")
    words = rows.labels(label)
    gaps = Gaps(rows.name, len(rows), rows.where)
    gaps.look_at_labels(label or "", words or ())
    kept = gaps.kept(missing)
    words = [words[i] for i in kept] if words and kept is not None else words
    return _Labelled(rows, words, kept, (*_others(rows, (image, label)), *gaps.left_out))


def _table(rows: Parts, columns: Columns, label: str | None, keeping: StoragePolicy) -> Table:
    refuse_unknown([label] if label else [], rows.schema.names, rows.name)
    numeric = [field.name for field in rows.schema if _is_numeric(field.type) and not _why_not(rows, field.name, label)]
    names = chosen(columns.numbers, rows.schema.names, numeric, rows.name)
    for name in names:
        if not _is_numeric(kind := rows.schema.field(name).type):
            raise DataError(f"data: column {name!r} of {rows.name} holds {kind}, not numbers: leave it out of columns")
    rows.refuse_mixed(names, _is_numeric, "numbers")
    shape = (len(rows), len(names))
    if keeping.streams(8 * shape[0] * shape[1], rows.name):
        scratch = Scratch()
        path = scratch.folder / "rows.npy"
        _fill(np.lib.format.open_memmap(path, "w+", np.float64, shape), rows, names)
        table: Rows = NpyFile(path, scratch)
    else:
        _fill(table := np.empty(shape), rows, names)
    left_out = () if columns.numbers else _others(rows, (*names, label))
    return Table(rows.name, table, names, rows.labels(label), label or "", rows.where, left_out)


def _why_not(rows: Parts, column: str, label: str | None) -> str:
    """Why a column of numbers is not learned unless that is asked for; empty where it is."""
    if column in rows.index:
        return "the index of a data frame"
    return "the label" if column == label else "one value in all folders" if rows.constant(column) else ""


def _others(rows: Parts, learned: Sequence[str | None]) -> tuple[str, ...]:
    """The columns that are not learned, and why."""
    whys = {field.name: _why_not(rows, field.name, None) or field.type for field in rows.schema}
    whys |= dict.fromkeys(rows.extra(), f"not in {rows.files[rows.main]}")
    return tuple(f"column {name!r} ({why})" for name, why in whys.items() if name not in learned)


def _fill(table: np.ndarray[Any, Any], rows: Parts, names: Sequence[str]) -> None:
    """Write the numbers (N, F) into a table."""
    for row, batch in rows.batches(names):
        part = table[row : row + batch.num_rows]
        for i, name in enumerate(names):
            part[:, i] = _numbers(batch.column(name)).to_numpy(zero_copy_only=False)


def _numbers(cells: Any) -> Any:
    """Cells in double precision."""
    plain = cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells
    return plain.cast(pa.float64(), safe=False)


def _holds_images(kind: Any) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_images(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_numeric(kind: Any) -> bool:
    types = pa.types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind))
