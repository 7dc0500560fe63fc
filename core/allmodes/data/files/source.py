"""Items that are read by position, from wherever a subclass reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from allmodes_schemas import Shape


class Items(NamedTuple):
    """Items as they are stored: x (n, *shape), bytes or float32, and labels (n,) where there are any."""

    x: Tensor
    labels: Tensor | None = None


class ItemSource:
    """Items that are read by position, in this process or in a worker, which gets the source by fork or pickle.

    Attributes:
        name: What messages call it.
        shape: Shape of one item.
        dtype: Of stored items: `torch.uint8` or `torch.float32`.
        labels: All labels (N,), where they are known without reading the items.
    """

    name: str
    shape: Shape
    dtype: torch.dtype
    labels: Tensor | None = None

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__()")

    def read(self, positions: Sequence[int]) -> Items:
        """Read the items at these positions.

        Raises:
            DataError: If one cannot be read; the message names it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define read(positions)")

    def check(self, positions: Iterable[int]) -> None:
        """Look cheaply at the items at these positions, before training streams them.

        Raises:
            DataError: If one does not fit.
        """

    def labels_at(self, positions: Sequence[int]) -> Tensor | None:
        """Labels at these positions, where they are known without reading."""
        return None if self.labels is None else self.labels[torch.as_tensor(positions, dtype=torch.long)]

    @property
    def size_in_memory(self) -> int:
        """Bytes that all items take in memory."""
        return len(self) * prod(self.shape) * self.dtype.itemsize


class Subset(ItemSource):
    """Some items of a source."""

    def __init__(self, whole: ItemSource, positions: Tensor) -> None:
        self.whole, self.positions = whole, positions
        self.name, self.shape, self.dtype = whole.name, whole.shape, whole.dtype
        self.labels = None if whole.labels is None else whole.labels[positions]

    @override
    def __len__(self) -> int:
        return len(self.positions)

    @override
    def read(self, positions: Sequence[int]) -> Items:
        return self.whole.read(self._positions_in_whole(positions))

    @override
    def check(self, positions: Iterable[int]) -> None:
        self.whole.check(self._positions_in_whole(list(positions)))

    def _positions_in_whole(self, positions: Sequence[int]) -> list[int]:
        places: list[int] = self.positions[torch.as_tensor(positions, dtype=torch.long)].tolist()
        return places


class ItemsInMemory(ItemSource):
    """Items that have been read."""

    def __init__(self, name: str, items: Items) -> None:
        self.name, self.items, self.labels = name, items, items.labels
        self.shape, self.dtype = tuple(items.x.shape[1:]), items.x.dtype

    @override
    def __len__(self) -> int:
        return len(self.items.x)

    @override
    def read(self, positions: Sequence[int]) -> Items:
        return Items(self.items.x[torch.as_tensor(positions, dtype=torch.long)], self.labels_at(positions))


def chunks(items: int, size: int) -> Iterator[range]:
    """Positions of consecutive items, at most `size` at a time."""
    return (range(i, min(i + size, items)) for i in range(0, items, size))


def spread(items: int, about: int) -> range:
    """Evenly spaced positions, roughly `about` of them; all, if there are fewer."""
    return range(0, items, max(1, items // about))
