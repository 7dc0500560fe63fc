"""Data on disk, read batch by batch, with the draws that they would have in memory."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from itertools import count
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.base import DataInfo, Device, Loader
from allmodes.data.batch import Batch
from allmodes.data.files.source import Items, ItemSource
from allmodes.data.files.workers import read_batches
from allmodes.data.finite import FiniteData, as_floats
from allmodes.data.orders import Epochs


class OnDiskData(FiniteData):
    """Finite data that are read when a batch is drawn.

    Args:
        train: Items to train on.
        test: Items that are not trained on.
        workers: Processes that read batches ahead; 0 reads in this process.
        info: Classes and units.
        fingerprint: Tells these data from others.
    """

    def __init__(self, train: ItemSource, test: ItemSource, workers: int, info: DataInfo, fingerprint: str) -> None:
        self.train, self.test, self.workers, self.fingerprint = train, test, workers, fingerprint
        self.shape, self.items, self.test_items, self.labels = train.shape, len(train), len(test), train.labels
        self.classes, self.class_names, self.units = info.classes, info.class_names, info.units
        self.device = torch.device("cpu")

    @override
    def to(self, device: Device) -> OnDiskData:
        moved = copy.copy(self)
        moved.device = torch.empty(0, device=device).device  # `cuda` becomes `cuda:0`, as it does for tensors
        return moved

    @override
    def take(self, index: Tensor) -> Batch:
        return self.batch(self.train.read(index.tolist()), index)

    @override
    def take_held_out(self, index: Tensor) -> Batch:
        return self.batch(self.test.read(index.tolist()))

    def batch(self, items: Items, index: Tensor | None = None) -> Batch:
        """Put items that were read on the device."""
        x, labels, where = (None if t is None else t.to(self.device, non_blocking=True) for t in (*items, index))
        assert x is not None
        return Batch(as_floats(x), labels, where)

    @override
    def loader(self, batch_size: int, seed: int) -> OnDiskLoader:
        return OnDiskLoader(self, batch_size, seed)


class OnDiskLoader(Loader):
    """Passes over data on disk. `close()`, or dropping the loader, ends the workers.

    The first batch is read without them: who takes one batch only, as metrics do, starts no processes. Batches that
    were read ahead do not count as served.
    """

    def __init__(self, data: OnDiskData, batch_size: int, seed: int) -> None:
        self.data, self.served = data, 0
        self.epochs = Epochs(data.items, batch_size, seed)
        self._ahead: Generator[Batch] | None = None

    @override
    def __next__(self) -> Batch:
        self._ahead = self._ahead or _read_ahead(self.data, self.epochs, self.served)
        try:
            batch = next(self._ahead)
        except BaseException:
            self.close()
            raise
        self.served += 1
        return batch

    @override
    def state_dict(self) -> dict[str, Any]:
        return self.epochs.state_dict(self.served)

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.close()
        self.served = self.epochs.load_state_dict(state)

    @override
    def part(self, part: int, of: int) -> OnDiskLoader:
        """Read a part of each batch alone."""
        loader = OnDiskLoader(self.data, self.epochs.batch_size, self.epochs.seed)
        loader.epochs.take_part(part, of)
        return loader

    @override
    def close(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None


def _read_ahead(data: OnDiskData, epochs: Epochs, first: int) -> Generator[Batch]:
    # Not a method: a generator with a reference to its loader would keep it and the workers alive.
    pending: deque[Tensor] = deque()

    def positions() -> Iterator[list[int]]:
        for number in count(first + 1):
            pending.append(epochs.batch(number))
            yield pending[-1].tolist()

    yield data.take(epochs.batch(first).to(data.device))
    for items in read_batches(data.train, positions(), data.workers, pinned=data.device.type == "cuda"):
        yield data.batch(items, pending.popleft())
