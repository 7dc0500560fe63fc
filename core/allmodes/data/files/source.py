"""Items that are read by position, from wherever a subclass reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

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
        """Number of items."""
        raise NotImplementedError(f"{type(self).__name__} does not define __len__()")

    def read(self, positions: Sequence[int]) -> Items:
        """The items at these positions.

        Raises:
            DataError: If one cannot be read; the message names it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define read(positions)")

    def check(self, positions: Iterable[int]) -> None:
        """ImageFormat cheaply at the items at these positions, before training streams them.

        Raises:
            DataError: If one does not fit.
        """

    def labels_at(self, positions: Sequence[int]) -> Tensor | None:
        """Labels at these positions, where they are known without reading."""
        return None if self.labels is None else self.labels[torch.as_tensor(positions, dtype=torch.long)]


class Subset(ItemSource):
    """Some items of a source."""

    def __init__(self, whole: ItemSource, positions: Tensor) -> None:
        self.whole, self.positions = whole, positions
        self.name, self.shape, self.dtype = whole.name, whole.shape, whole.dtype
        self.labels = None if whole.labels is None else whole.labels[positions]

    def __len__(self) -> int:
        """Number of items."""
        return len(self.positions)

    def read(self, positions: Sequence[int]) -> Items:
        """The whole's items there."""
        return self.whole.read(self.positions[torch.as_tensor(positions, dtype=torch.long)].tolist())

    def check(self, positions: Iterable[int]) -> None:
        """ImageFormat at the whole's items there."""
        self.whole.check(self.positions[torch.as_tensor(list(positions), dtype=torch.long)].tolist())


class ItemsInMemory(ItemSource):
    """Items that have been read."""

    def __init__(self, name: str, items: Items) -> None:
        self.name, self.items, self.labels = name, items, items.labels
        self.shape, self.dtype = tuple(items.x.shape[1:]), items.x.dtype

    def __len__(self) -> int:
        """Number of items."""
        return len(self.items.x)

    def read(self, positions: Sequence[int]) -> Items:
        """The items there."""
        return Items(self.items.x[torch.as_tensor(positions, dtype=torch.long)], self.labels_at(positions))
