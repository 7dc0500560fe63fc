"""A user's own torch data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from allmodes.data.base import DataError, DataInfo, Origin
from allmodes.data.description import listed
from allmodes.data.files.arrays import CHANNELS, Range, refuse_values
from allmodes.data.files.items import FORMS, LABELS, Keys, as_tensor, kind_of, numbers_of, told
from allmodes.data.files.loading import SAMPLED, data_of, parts
from allmodes.data.files.source import Items, ItemSource
from allmodes.data.files.storage import Memory, StoragePolicy
from allmodes.data.files.vectors import in_units
from allmodes.data.finite import FiniteData, TensorData
from allmodes.system.torch_settings import plain_torch

FEW = 1000
"""Classes that data may have however few their items are."""
LARGEST = 2**62
"""What a label is smaller than, so that a tensor holds it."""
COMPARED = 10
"""Items, about, whose labels are compared with those that a data set tells."""


@runtime_checkable
class Dataset(Protocol):
    """What is asked of a data set: items by position, each x or (x, y)."""

    def __len__(self) -> int:
        """Number of items."""
        ...

    def __getitem__(self, position: int, /) -> Any:
        """An item."""
        ...


class Foreign(ItemSource):
    """The items of a user's data set: x, (x,), (x, y) or a mapping of them; x is an array or an image, y a number."""

    def __init__(self, dataset: Dataset, name: str, low_high: Range | None, classes: int | None, keys: Keys) -> None:
        self.dataset, self.name, self.range, self.classes, self.keys = dataset, name, low_high, classes, keys
        if not _length(dataset, name):
            raise DataError(f"data: {name} has no items")
        self.one_hot: int | None = None
        self.believed = True
        x, label = self._item(0, first=True)
        self.shape, self.dtype, self.labelled = tuple(x.shape), x.dtype, label is not None
        self.classes = classes or self.one_hot
        self.labels = self._known_labels() if self.labelled else None

    def __len__(self) -> int:
        """Number of items."""
        return len(self.dataset)

    def read(self, positions: Sequence[int]) -> Items:
        """Items in the form in which they are stored."""
        items = [self._checked(position) for position in positions]
        labels = [label for _, label in items if label is not None]
        return Items(torch.stack([x for x, _ in items]), torch.tensor(labels) if self.labelled else None)

    def notes(self) -> tuple[str, ...]:
        """What may surprise: how labels are read, and items that are not the same each time."""
        found = [] if self.one_hot is None else [f"labels are one-hot, of {self.one_hot} classes"]
        changes = not torch.equal(self._item(0)[0], self._item(0)[0])
        return (*found, *(["item 0 differs each time it is read: give items without random changes"] * changes))

    def _known_labels(self) -> Tensor | None:
        """All labels, where the data set tells them and its items have the same."""
        labels = _told_labels(self.dataset)
        sample = range(0, len(self), max(1, len(self) // COMPARED))
        self.believed = labels is None or all(self._item(i)[1] == int(labels[i]) for i in sample)
        return labels if self.believed else None

    def _checked(self, position: int) -> tuple[Tensor, int | None]:
        x, label = self._item(position)
        if tuple(x.shape) != self.shape or x.dtype != self.dtype:
            raise DataError(f"data: {self._call(position)} {self._unlike(x)}: make them alike")
        if (label is not None) != self.labelled:
            what = "no label, but item 0 has one" if self.labelled else "a label, but item 0 has none"
            raise DataError(f"data: {self._call(position)} has {what}")
        if label is not None and not 0 <= label < (self.classes or label + 1):
            limit = f"from 0 to {self.classes - 1}" if self.classes else "0 or more"
            raise DataError(f"data: {self._call(position)} has label {label}, but labels are {limit}")
        return x, label

    def _unlike(self, x: Tensor) -> str:
        if x.dtype == self.dtype:
            return f"has shape {tuple(x.shape)}, but item 0 has {self.shape}"
        return f"has {tuple(x.shape)} of {x.dtype}, but item 0 has {self.shape} of {self.dtype}"

    def _call(self, position: int) -> str:
        return f"item {position} of {self.name}"

    def _item(self, position: int, first: bool = False) -> tuple[Tensor, int | None]:
        try:
            item = self.dataset[position]
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise DataError(f"data: {self._call(position)} cannot be read: {what}") from error
        x, label = self.keys.unpacked(item, self._call(position))
        return self._x(x, position), None if label is None else self._label(label, position, first)

    def _x(self, x: Any, position: int) -> Tensor:
        x = as_tensor(x, self._call(position))
        if not 1 <= x.dim() <= 3 or x.is_complex() or not x.numel():
            what = "one number: make it a vector, such as x[:, None]" if x.dim() == 0 else f"{kind_of(x)}: {FORMS}"
            raise DataError(f"data: {self._call(position)} is {what}")
        if x.dim() == 1:
            self._finite(x.float(), position)
            exact: Tensor = x.double()  # float32 once it is standardised
            return exact
        x = x[None] if x.dim() == 2 else x
        if x.shape[2] == 4 < x.shape[0]:
            what = f"has shape {tuple(x.shape)}: is it (H, W, C) with transparency? Drop that, or put channels first"
            raise DataError(f"data: {self._call(position)} {what}")
        x = x.permute(2, 0, 1) if x.shape[0] not in CHANNELS and x.shape[2] in CHANNELS else x
        return self._pixels(x, position).contiguous()

    def _finite(self, x: Tensor, position: int) -> Tensor:
        for place in (~x.isfinite()).nonzero()[:1].tolist():
            what = f"{float(x[tuple(place)])} at {place}"
            raise DataError(f"data: {self._call(position)} has {what}: give finite numbers, or leave the item out")
        return x

    def _pixels(self, x: Tensor, position: int) -> Tensor:
        if x.dtype == torch.uint8 and self.range is None:
            return x
        x = self._finite(x.float(), position)
        low, high = self.range or (-1.0, 1.0)
        if float(x.min()) < low or float(x.max()) > high:
            refuse_values(self._call(position), float(x.min()), float(x.max()), self.range)
        return x if (low, high) == (-1, 1) else (x - low) * (2 / (high - low)) - 1

    def _label(self, label: Any, position: int, first: bool) -> int:
        """A whole number, or the place of the 1 in a one-hot vector as long as that of the first item."""
        values = numbers_of(label)
        if len(values) > 1 and set(values) == {0, 1} and sum(values) == 1:
            self.one_hot = len(values) if first else self.one_hot
            if len(values) == self.one_hot:
                return values.index(1)
        if len(values) == 1 and values[0] == values[0] // 1 and abs(values[0]) < LARGEST and self.one_hot is None:
            return int(values[0])
        raise DataError(f"data: {self._call(position)} has the label {told(label)}: give whole numbers from 0")


@plain_torch()
def from_dataset(
    dataset: Dataset,
    *,
    test: Dataset | None = None,
    held_out: float = 0.1,
    memory: Memory = "auto",
    workers: int = 0,
    classes: int | None = None,
    range: Range | None = None,
    name: str | None = None,
    x: str | None = None,
    label: str | None = None,
    standardise: bool = False,
) -> FiniteData:
    """The items of any map-style `torch.utils.data.Dataset` as data to learn from.

    Args:
        dataset: Gives x, (x,), (x, y) or a mapping of them by position: x a vector (F,), an image (C, H, W), (H, W, C)
            or (H, W), or a PIL image; y a whole number from 0, alone or one-hot. Images are bytes or floats in [-1, 1].
            Each item must always be the same: augmentation would make a run depend on where the items are kept.
        test: Items that are not trained on.
        held_out: Share of the items that are not trained on, where there is no `test`.
        memory: `resident`, `stream`, or `auto`: in memory where they take at most half of what is free.
        workers: Processes that read items.
        classes: Number of labels; by default `len(dataset.classes)`, or one more than the largest in memory.
        range: Values that are black and white, such as (0, 1), where images are not in [-1, 1].
        name: What messages call it; by default the class's name.
        x: Key of what is learned, where items are mappings; by default the usual one, such as `image`.
        label: Key of their label; by default the usual one, such as `label`, if any.
        standardise: Whether each coordinate of vectors is given zero mean and unit variance, in double precision, as
            the columns of files are; samples are converted back.

    Raises:
        DataError: If it is not map-style, or an item is of another form or shape than the first.
    """
    name, keys = name or type(dataset).__name__, Keys(x, label)
    _refuse_other(dataset, name)
    classes = classes or _known_classes(dataset, label)
    train = Foreign(dataset, name, range, classes, keys)
    _refuse_unmapped(train)
    keeping, facts = StoragePolicy(memory, workers), _facts(train)
    seen: ItemSource
    unseen: ItemSource
    seen, unseen = parts(train, held_out) if test is None else (train, _test_of(train, test))
    if len(train.shape) == 1:
        seen, unseen, units = in_units(seen, unseen, standardise)
        facts = replace(facts, units=units)
    data = data_of(seen, unseen, keeping, facts)
    _count_classes(data, None if test is None else unseen.name)
    if train.labelled and data.classes is None:
        raise DataError(f"data: {name} has labels, but streaming does not see them all: say how many with classes")
    return data


def _test_of(train: Foreign, dataset: Dataset) -> Foreign:
    """The items of a test set, which have labels where those that are trained on have."""
    _refuse_other(dataset, name := f"the test set of {train.name}")
    test = Foreign(dataset, name, train.range, train.classes, train.keys)
    if train.labelled != test.labelled:
        have, have_not = (train, test) if train.labelled else (test, train)
        raise DataError(f"data: {have.name} has labels, but {have_not.name} has none: make them alike")
    return test


def _count_classes(data: FiniteData, test: str | None) -> None:
    """Count the classes: in memory those of held-out items too, unless these came on their own."""
    labels = torch.empty(0)
    if isinstance(data, TensorData) and data.labels is not None and data.test_labels is not None:
        labels, most = torch.cat([data.labels, data.test_labels]), int(data.test_labels.max())
        if test is not None and most >= (data.classes or 0):
            raise DataError(f"data: {test} has the label {most}, which the training data have not")
        data.classes = max(data.classes or 0, most + 1)
    _refuse_gaps(data.origin.name, data.classes or 0, data.items + data.test_items)
    if len(labels) and (empty := (labels.bincount(minlength=data.classes or 0) == 0).nonzero()[:, 0].tolist()):
        note = f"no item has the label {listed(list(map(str, empty)), 3)}"
        data.origin = replace(data.origin, notes=(*data.origin.notes, note))


def _refuse_gaps(name: str, classes: int, items: int) -> None:
    """Refuse labels that are no numbers of classes, such as the numbers of customers."""
    if classes > max(FEW, items):
        what = f"labels up to {classes - 1}, but {items} items"
        raise DataError(f"data: {name} has {what}: number the classes from 0 without gaps")


def _facts(train: Foreign) -> DataInfo:
    left_out = tuple(f"key {key!r}" for key in train.keys.unused(train.dataset[0]))
    origin = Origin(train.name, left_out=left_out, notes=train.notes())
    if not train.labelled:
        return DataInfo(origin=origin)
    names = _names(train.dataset, train.keys.label) if train.believed else ()
    return DataInfo(train.classes, names if len(names) == train.classes else None, origin=origin)


def _refuse_other(dataset: Any, name: str) -> None:
    """Refuse what gives no items by position, and say how they are had."""
    what = f"data: {name} gives no items by position"
    if isinstance(dataset, Mapping):
        first = next(iter(dataset), "train")
        raise DataError(
            f"{what}, but by the keys {', '.join(map(repr, dataset))}: give one data set, such as [{first!r}]"
        )
    if hasattr(dataset, "to_numpy"):
        raise DataError(f"{what}: give its to_numpy(), or write it to a file that a spec names")
    if isinstance(dataset, str | bytes):
        raise DataError(f"{what}: to learn from a file, name it in a spec, such as data: {{kind: csv, path: ...}}")
    if isinstance(getattr(dataset, "dataset", None), Dataset) and not isinstance(dataset, Dataset):
        raise DataError(f"{what}: give its dataset")
    if isinstance(dataset, IterableDataset) or not isinstance(dataset, Dataset):
        raise DataError(f"{what}: give a data set with __len__ and __getitem__")
    if isinstance(dataset, tuple) and len(dataset) == 2 and all(hasattr(part, "shape") for part in dataset):
        raise DataError(f"{what}, but is a pair of arrays: give torch.utils.data.TensorDataset(x, y)")


def _length(dataset: Dataset, name: str) -> int:
    try:
        return len(dataset)
    except Exception as error:
        raise DataError(f"data: {name} does not tell how many items it has: {type(error).__name__}: {error}") from error


def _refuse_unmapped(source: Foreign) -> None:
    """Floats that are never negative are in [0, 1], not in [-1, 1], as torchvision's `ToTensor` gives them."""
    if len(source.shape) == 3 and source.dtype != torch.uint8 and source.range is None:
        x, _ = source.read(list(range(0, len(source), max(1, len(source) // SAMPLED))))
        refuse_values(source.name, float(x.min()), float(x.max()), None)


def _told_labels(dataset: Dataset) -> Tensor | None:
    """All labels, where the data set tells them as torchvision's do: whole numbers, one for each item."""
    try:
        labels = torch.as_tensor(getattr(dataset, "targets", None))
    except (TypeError, ValueError, RuntimeError):
        return None
    return labels.long() if labels.shape == (len(dataset),) and not labels.is_floating_point() else None


def _known_classes(dataset: Dataset, label: str | None) -> int | None:
    names, labels = _names(dataset, label), _told_labels(dataset)
    return len(names) or (None if labels is None else int(labels.max()) + 1)


def _names(dataset: Dataset, label: str | None) -> tuple[str, ...]:
    """Names of the classes, where the data set has them, as those of torchvision and Hugging Face do."""
    names, features = getattr(dataset, "classes", None), getattr(dataset, "features", None)
    if isinstance(features, Mapping):
        usual = next((key for key in features if str(key).lower() in LABELS), None)
        names = getattr(features.get(label or usual), "names", None)
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()
