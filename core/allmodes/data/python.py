"""A user's own torch data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import IterableDataset

from allmodes.data.arrays import CHANNELS, Range, refuse_values
from allmodes.data.base import DataError
from allmodes.data.finite import FiniteData
from allmodes.data.sources import SAMPLED, Facts, Items, Keeping, Memory, Source, data_of, parts


@runtime_checkable
class Dataset(Protocol):
    """What is asked of a data set: items by position, each x or (x, y)."""

    def __len__(self) -> int:
        """Number of items."""
        ...

    def __getitem__(self, position: int, /) -> Any:
        """An item."""
        ...


class Foreign(Source):
    """The items of a user's data set: x or (x, y), where x is a tensor, an array or a PIL image, y a whole number."""

    def __init__(self, dataset: Dataset, name: str, low_high: Range | None, classes: int | None) -> None:
        self.dataset, self.name, self.range, self.classes = dataset, name, low_high, classes
        if not len(dataset):
            raise DataError(f"data: {name} has no items")
        x, label = self._item(0)
        self.shape, self.dtype, self.labelled = tuple(x.shape), x.dtype, label is not None
        self.labels = _known_labels(dataset) if self.labelled else None

    def __len__(self) -> int:
        """Number of items."""
        return len(self.dataset)

    def read(self, positions: Sequence[int]) -> Items:
        """Items in the form in which they are stored."""
        items = [self._checked(position) for position in positions]
        labels = [label for _, label in items if label is not None]
        return Items(torch.stack([x for x, _ in items]), torch.tensor(labels) if self.labelled else None)

    def _checked(self, position: int) -> tuple[Tensor, int | None]:
        x, label = self._item(position)
        if tuple(x.shape) != self.shape or x.dtype != self.dtype:
            first = f"item 0 has {self.shape} of {self.dtype}"
            have = f"{tuple(x.shape)} of {x.dtype}"
            raise DataError(f"data: item {position} of {self.name} has shape {have}, but {first}: make them alike")
        if (label is not None) != self.labelled:
            what = "no label, but item 0 has one" if self.labelled else "a label, but item 0 has none"
            raise DataError(f"data: item {position} of {self.name} has {what}")
        if label is not None and not 0 <= label < (self.classes or label + 1):
            limit = f"from 0 to {self.classes - 1}" if self.classes else "0 or more"
            raise DataError(f"data: item {position} of {self.name} has label {label}, but labels are {limit}")
        return x, label

    def _item(self, position: int) -> tuple[Tensor, int | None]:
        try:
            item = self.dataset[position]
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise DataError(f"data: item {position} of {self.name} cannot be read: {what}") from error
        x, label = item if isinstance(item, tuple | list) and len(item) == 2 else (item, None)
        return self._x(x, position), None if label is None else self._label(label, position)

    def _x(self, x: Any, position: int) -> Tensor:
        if isinstance(x, Image.Image):
            x = np.array(x if x.mode == "L" else x.convert("RGB"))
        if isinstance(x, np.ndarray):
            x = torch.from_numpy(np.ascontiguousarray(x))
        if not isinstance(x, Tensor) or not 1 <= x.dim() <= 3:
            what = f"a tensor of shape {tuple(x.shape)}" if isinstance(x, Tensor) else f"of type {type(x).__name__}"
            raise DataError(f"data: item {position} of {self.name} is {what}: {FORMS}")
        if x.dim() == 1:
            return x.float()
        x = x[None] if x.dim() == 2 else x
        x = x.permute(2, 0, 1) if x.shape[0] not in CHANNELS and x.shape[2] in CHANNELS else x
        return self._pixels(x, position).contiguous()

    def _pixels(self, x: Tensor, position: int) -> Tensor:
        if x.dtype == torch.uint8 and self.range is None:
            return x
        low, high = self.range or (-1.0, 1.0)
        if float(x.min()) < low or float(x.max()) > high or not bool(x.isfinite().all()):
            refuse_values(f"item {position} of {self.name}", float(x.min()), float(x.max()), self.range)
        return x.float() if (low, high) == (-1, 1) else (x.float() - low) * (2 / (high - low)) - 1

    def _label(self, label: Any, position: int) -> int:
        value = label.item() if isinstance(label, Tensor | np.generic) and np.ndim(label) == 0 else label
        if isinstance(value, int):
            return int(value)
        raise DataError(f"data: item {position} of {self.name} has the label {value!r}: give whole numbers from 0")


FORMS = "give x or (x, y) with x a vector (F,), an image (C, H, W) or a PIL image, and y a whole number"


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
) -> FiniteData:
    """The items of any map-style `torch.utils.data.Dataset` as data to learn from.

    Args:
        dataset: Gives x or (x, y) by position: x a vector (F,), an image (C, H, W), (H, W, C) or (H, W), or a PIL
            image; y a whole number from 0. Images are bytes or floats in [-1, 1]. Each item must always be the same:
            augmentation would make a run depend on where the items are kept.
        test: Items that are not trained on.
        held_out: Share of the items that are not trained on, where there is no `test`.
        memory: `resident`, `stream`, or `auto`: in memory where they take at most half of what is free.
        workers: Processes that read items.
        classes: Number of labels; by default `len(dataset.classes)`, or one more than the largest in memory.
        range: Values that are black and white, such as (0, 1), where images are not in [-1, 1].
        name: What messages call it; by default the class's name.

    Raises:
        DataError: If it is not map-style, or an item is of another form or shape than the first.
    """
    name = name or type(dataset).__name__
    if isinstance(dataset, IterableDataset) or not isinstance(dataset, Dataset):
        raise DataError(f"data: {name} gives no items by position: give a data set with __len__ and __getitem__")
    classes = classes or _known_classes(dataset)
    train = Foreign(dataset, name, range, classes)
    _refuse_unmapped(train)
    keeping = Keeping(memory, workers)
    facts = Facts(classes if train.labelled else None, _class_names(dataset, classes) if train.labelled else None)
    if test is None:
        data = data_of(*parts(train, held_out), keeping, facts)
    else:
        data = data_of(train, Foreign(test, f"the test set of {name}", range, classes), keeping, facts)
    if train.labelled and data.classes is None:
        raise DataError(f"data: {name} has labels, but streaming does not see them all: say how many with classes")
    return data


def _refuse_unmapped(source: Foreign) -> None:
    """Floats that are never negative are in [0, 1], not in [-1, 1], as torchvision's `ToTensor` gives them."""
    if len(source.shape) == 3 and source.dtype != torch.uint8 and source.range is None:
        x, _ = source.read(list(range(0, len(source), max(1, len(source) // SAMPLED))))
        refuse_values(source.name, float(x.min()), float(x.max()), None)


def _known_labels(dataset: Dataset) -> Tensor | None:
    """All labels, where the data set tells them as torchvision's do: whole numbers, one for each item."""
    try:
        labels = torch.as_tensor(getattr(dataset, "targets", None))
    except (TypeError, ValueError, RuntimeError):
        return None
    return labels.long() if labels.shape == (len(dataset),) and not labels.is_floating_point() else None


def _known_classes(dataset: Dataset) -> int | None:
    names, labels = getattr(dataset, "classes", None), _known_labels(dataset)
    if isinstance(names, list | tuple) and names:
        return len(names)
    return None if labels is None else int(labels.max()) + 1


def _class_names(dataset: Dataset, classes: int | None) -> tuple[str, ...] | None:
    names = getattr(dataset, "classes", None)
    fits = isinstance(names, list | tuple) and len(names) == classes
    return tuple(map(str, names)) if fits else None  # type: ignore[arg-type]
