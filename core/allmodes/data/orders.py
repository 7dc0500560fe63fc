"""Random orders of items: of a few by a shuffle, of many one whose parts are computed when they are asked for.

All of it is drawn on the CPU and depends on the seed alone, so that data in memory and on disk, on a CPU and a GPU have
the same batches.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from allmodes.data.base import DataError, Device

MANY = 2**17
"""More items than this are not shuffled as a whole."""

AHEAD = 2**14
"""Positions whose items are computed at a time."""

ROUNDS = 6
"""Of the network of a keyed order: after 2, each item is equally likely at a position, after 6, each pair at two."""

Way: TypeAlias = Literal["shuffled", "keyed"]
"""How an order comes about."""


def way_of(items: int) -> Way:
    """How the items of new runs are put in order."""
    return "keyed" if items > MANY else "shuffled"


class KeyedOrder:
    """A random order of items, any part of which costs time and memory for that part alone.

    Positions are cells of a square with at least as many cells as there are items. Every round moves each row by a
    random number of columns, and then exchanges rows and columns: a Feistel network whose round functions are tables of
    random numbers. A cell beyond the items is moved again until it is none (cycle walking), so that each item is at
    exactly one position.

    Args:
        items: Number of items, at least 1.
        generator: Draws the tables, of about the square root of that many numbers; on the CPU.
        device: Where parts are given.
    """

    def __init__(self, items: int, generator: torch.Generator, device: Device = "cpu") -> None:
        self.items, self.side, self.device = items, math.isqrt(items - 1) + 1, device
        self.tables = torch.randint(self.side, (ROUNDS, self.side), generator=generator)
        self._first, self._found = 0, torch.empty(0, dtype=torch.long)

    def part(self, first: int, end: int) -> Tensor:
        """Items at the positions from first to before end (end - first,)."""
        if not self._first <= first <= end <= self._first + len(self._found):
            positions = torch.arange(first, min(self.items, max(end, first + AHEAD)))
            self._first, self._found = first, self.at(positions).to(self.device)
        return self._found[first - self._first : end - self._first]

    def at(self, positions: Tensor) -> Tensor:
        """Items (n,) at positions (n,) in [0, items), on the CPU."""
        cells = self._move(positions)
        while len(beyond := (cells >= self.items).nonzero()[:, 0]):
            cells[beyond] = self._move(cells[beyond])
        return cells

    def _move(self, cells: Tensor) -> Tensor:
        row, column = cells // self.side, cells % self.side
        for table in self.tables:
            row, column = column.add(table.index_select(0, row)).remainder_(self.side), row
        return row.mul_(self.side).add_(column)


class Shuffle:
    """A shuffle of all items as an order, on a device."""

    def __init__(self, items: int, generator: torch.Generator, device: Device) -> None:
        self.items = torch.randperm(items, generator=generator).to(device)

    def part(self, first: int, end: int) -> Tensor:
        """Items at the positions from first to before end (end - first,)."""
        return self.items[first:end]


Order: TypeAlias = KeyedOrder | Shuffle


def make_order(way: Way, items: int, generator: torch.Generator, device: Device = "cpu") -> Order:
    """Make an order of items in one of the ways."""
    return (KeyedOrder if way == "keyed" else Shuffle)(items, generator, device)


def in_random_order(items: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Positions of all items in random order, so many at a time; of many items no more is computed than is taken."""
    order = make_order(way_of(items), items, generator)
    for first in range(0, items, size):
        yield order.part(first, min(first + size, items))


class Epochs:
    """Positions of each batch: every epoch has an order of its own, and a tail smaller than a batch is dropped.

    The order depends on seed and epoch alone, not on the device, so that data give the same batches wherever they are,
    and the number of batches served is all that a checkpoint needs, with the way in which orders came about.

    Raises:
        DataError: If a batch has more items than the data.
    """

    def __init__(self, items: int, batch_size: int, seed: int, device: Device = "cpu") -> None:
        if batch_size > items:
            raise DataError(
                f"training: batch_size is {batch_size} but the data have {items} items: "
                f"set batch_size to {items} or less"
            )
        self.items, self.batch_size, self.seed, self.device = items, batch_size, seed, device
        self.way, self.of_epoch = way_of(items), items // batch_size
        self._order: tuple[int, Way, Order] | None = None
        self._part = slice(None)

    def take_part(self, part: int, of: int) -> None:
        """Give of each batch only the positions of a part, numbered from 0, of so many equal ones."""
        n = self.batch_size // of
        self._part = slice(part * n, (part + 1) * n)

    def batch(self, number: int) -> Tensor:
        """Positions (batch_size,) of the items of a batch, or of its part, counted from 0 over all epochs."""
        return self.block(number, 1)[0][self._part]

    def block(self, number: int, batches: int) -> tuple[Tensor, int]:
        """Positions of the items of the block that a batch is in, and the place of the batch in it.

        An epoch is divided into blocks of so many batches from its beginning; the last one may have fewer.
        """
        epoch, i = divmod(number, self.of_epoch)
        first = i - i % batches
        end = min(first + batches, self.of_epoch)
        return self._order_of(epoch).part(first * self.batch_size, end * self.batch_size), i - first

    def state_dict(self, served: int) -> dict[str, Any]:
        """The state of a loader that has served so many batches."""
        return {"served": served, **({} if self.way == "shuffled" else {"order": self.way})}

    def load_state_dict(self, state: Mapping[str, Any]) -> int:
        """Go on in the way of a state; returns the number of batches served.

        States of the first version name no way: all items were shuffled, and still are when such a run goes on.
        """
        self.way = state.get("order", "shuffled")
        return int(state["served"])

    def _order_of(self, epoch: int) -> Order:
        if self._order is None or self._order[:2] != (epoch, self.way):
            generator = torch.Generator().manual_seed(_epoch_seed(self.seed, epoch))
            self._order = epoch, self.way, make_order(self.way, self.items, generator, self.device)
        return self._order[2]


def _epoch_seed(seed: int, epoch: int) -> int:
    """Hash a pair to a 63-bit seed, so that epochs of one seed are not those of the next."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{epoch}".encode()).digest()[:8], "big") >> 1
