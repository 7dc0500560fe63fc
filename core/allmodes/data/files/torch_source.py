"""Items of a torch data set: read, checked against the first, and brought to one form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.base import DataError
from allmodes.data.files.items import FORMS, Keys, describe_label, describe_type, numbers_of, to_tensor
from allmodes.data.files.pixels import CHANNELS, Range, check_range, rescale
from allmodes.data.files.source import Items, ItemSource, spread

LARGEST = 2**62
"""Bound of a label, so that a tensor holds it."""
COMPARED = 10
"""Items, about, whose labels are compared with those that a data set lists."""


@runtime_checkable
class Dataset(Protocol):
    """Items by position, each x or (x, y)."""

    def __len__(self) -> int:
        """Number of items."""
        ...

    def __getitem__(self, position: int, /) -> Any:
        """An item."""
        ...


class TorchDatasetSource(ItemSource):
    """The items of a user's data set: x, (x,), (x, y) or a mapping of them; x is an array or an image, y a number.

    Args:
        dataset: The data set.
        name: What messages call it.
        low_high: Values of black and white, where images are not bytes or floats in [-1, 1].
        classes: Number of labels, where it is known.
        keys: Keys of what is read, where items are mappings.

    Attributes:
        labelled: Whether the items have labels.
        one_hot: Length of one-hot labels, if they are.
        lists_labels: Whether the labels that the data set lists, if any, are those of its items.

    Raises:
        DataError: If there are no items, or the first is of no form that is read.
    """

    def __init__(self, dataset: Dataset, name: str, low_high: Range | None, classes: int | None, keys: Keys) -> None:
        self.dataset, self.name, self.range, self.classes, self.keys = dataset, name, low_high, classes, keys
        _check_length(dataset, name)
        self.one_hot: int | None = None
        x, label = self._read(0, first=True)
        self.shape, self.dtype, self.labelled = tuple(x.shape), x.dtype, label is not None
        self.classes = classes or self.one_hot
        labels = listed_labels(dataset) if self.labelled else None
        compared = spread(len(self), COMPARED) if labels is not None else ()
        self.lists_labels = all(self._read(i)[1] == int(labels[i]) for i in compared) if labels is not None else True
        self.labels = labels if self.lists_labels else None

    @override
    def __len__(self) -> int:
        return len(self.dataset)

    @override
    def read(self, positions: Sequence[int]) -> Items:
        items = [self._read_like_first(position) for position in positions]
        labels = [label for _, label in items if label is not None]
        return Items(torch.stack([x for x, _ in items]), torch.tensor(labels) if self.labelled else None)

    def notes(self) -> tuple[str, ...]:
        """Describe what may surprise: one-hot labels, and items that are not the same each time."""
        notes = [] if self.one_hot is None else [f"labels are one-hot, of {self.one_hot} classes"]
        if not torch.equal(self._read(0)[0], self._read(0)[0]):
            notes.append("item 0 differs each time it is read: give items without random changes")
        return tuple(notes)

    def _error(self, position: int, what: str) -> DataError:
        return DataError(f"data: item {position} of {self.name} {what}")

    def _read_like_first(self, position: int) -> tuple[Tensor, int | None]:
        x, label = self._read(position)
        if x.dtype != self.dtype:
            have = f"has {tuple(x.shape)} of {x.dtype}, but item 0 has {self.shape} of {self.dtype}"
            raise self._error(position, f"{have}: make them alike")
        if tuple(x.shape) != self.shape:
            raise self._error(position, f"has shape {tuple(x.shape)}, but item 0 has {self.shape}: make them alike")
        if (label is not None) != self.labelled:
            have = "no label, but item 0 has one" if self.labelled else "a label, but item 0 has none"
            raise self._error(position, f"has {have}")
        if label is not None and not 0 <= label < (self.classes or label + 1):
            limit = f"from 0 to {self.classes - 1}" if self.classes else "0 or more"
            raise self._error(position, f"has label {label}, but labels are {limit}")
        return x, label

    def _read(self, position: int, first: bool = False) -> tuple[Tensor, int | None]:
        try:
            item = self.dataset[position]
        except Exception as error:
            raise self._error(position, f"cannot be read: {type(error).__name__}: {error}") from error
        x, label = self.keys.unpack(item, f"item {position} of {self.name}")
        return self._to_form(x, position), None if label is None else self._to_number(label, position, first)

    def _to_form(self, x: Any, position: int) -> Tensor:
        """A vector in double precision, which is float32 once it is standardised, or an image (C, H, W)."""
        x = to_tensor(x, f"item {position} of {self.name}")
        if x.dim() == 0:
            raise self._error(position, "is one number: make it a vector, such as x[:, None]")
        if x.dim() > 3 or x.is_complex() or not x.numel():
            raise self._error(position, f"is {describe_type(x)}: {FORMS}")
        if x.dim() == 1:
            self._check_finite(x.float(), position)
            exact: Tensor = x.double()
            return exact
        x = x[None] if x.dim() == 2 else x
        if x.shape[2] == 4 < x.shape[0]:
            hint = "is it (H, W, C) with transparency? Drop that, or put channels first"
            raise self._error(position, f"has shape {tuple(x.shape)}: {hint}")
        x = x.permute(2, 0, 1) if x.shape[0] not in CHANNELS and x.shape[2] in CHANNELS else x
        return self._to_pixels(x, position).contiguous()

    def _to_pixels(self, x: Tensor, position: int) -> Tensor:
        if x.dtype == torch.uint8 and self.range is None:
            return x
        self._check_finite(x := x.float(), position)
        low, high = float(x.min()), float(x.max())
        if self.range or low < -1 or high > 1:  # floats in [0, 1] are refused as a whole, not one by one
            check_range(f"item {position} of {self.name}", low, high, self.range)
        return rescale(x, self.range)

    def _check_finite(self, x: Tensor, position: int) -> None:
        for place in (~x.isfinite()).nonzero()[:1].tolist():
            have = f"has {float(x[tuple(place)])} at {place}"
            raise self._error(position, f"{have}: give finite numbers, or leave the item out")

    def _to_number(self, label: Any, position: int, first: bool) -> int:
        """A whole number, or the place of the 1 in a one-hot vector as long as that of the first item."""
        values = numbers_of(label)
        if len(values) > 1 and set(values) == {0, 1} and sum(values) == 1:
            self.one_hot = len(values) if first else self.one_hot
            if len(values) == self.one_hot:
                return values.index(1)
        if len(values) == 1 and values[0] == values[0] // 1 and abs(values[0]) < LARGEST and self.one_hot is None:
            return int(values[0])
        raise self._error(position, f"has the label {describe_label(label)}: give whole numbers from 0")


def _check_length(dataset: Dataset, name: str) -> None:
    try:
        items = len(dataset)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise DataError(f"data: {name} does not tell how many items it has: {what}") from error
    if not items:
        raise DataError(f"data: {name} has no items")


def listed_labels(dataset: Dataset) -> Tensor | None:
    """All labels, where the data set lists them as torchvision's do: whole numbers, one for each item."""
    try:
        labels = torch.as_tensor(getattr(dataset, "targets", None))
    except (TypeError, ValueError, RuntimeError):
        return None
    return labels.long() if labels.shape == (len(dataset),) and not labels.is_floating_point() else None
