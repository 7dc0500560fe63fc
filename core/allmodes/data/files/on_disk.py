"""Data that stay where they are and are read batch by batch, with the draws that they would have in memory."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from itertools import count
from typing import Any

import torch
from torch import Tensor

from allmodes.data.base import DataInfo, Device, Loader
from allmodes.data.batch import Batch
from allmodes.data.files.source import Items, ItemSource
from allmodes.data.files.workers import read_batches
from allmodes.data.finite import Epochs, FiniteData, as_floats


class OnDiskData(FiniteData):
    """Finite data that are read when they are asked for.

    Args:
        train: Items to train on.
        test: Items that are not trained on.
        workers: Processes that read batches ahead; 0 reads in this process.
        facts: Classes and units.
        fingerprint: What tells these data from others.
    """

    def __init__(self, train: ItemSource, test: ItemSource, workers: int, facts: DataInfo, fingerprint: str) -> None:
        self.train, self.test, self.workers, self.fingerprint = train, test, workers, fingerprint
        self.shape, self.items, self.test_items, self.labels = train.shape, len(train), len(test), train.labels
        self.classes, self.class_names, self.units = facts.classes, facts.class_names, facts.units
        self.device = torch.device("cpu")

    def to(self, device: Device) -> OnDiskData:
        """The same data, whose batches are put on a device."""
        moved = copy.copy(self)
        moved.device = torch.empty(0, device=device).device  # `cuda` becomes `cuda:0`, as it does for tensors
        return moved

    def take(self, index: Tensor) -> Batch:
        """Training items by position (n,), read now."""
        return self.batch(self.train.read(index.tolist()), index)

    def take_held_out(self, index: Tensor) -> Batch:
        """Test items by position (n,), read now."""
        return self.batch(self.test.read(index.tolist()))

    def batch(self, items: Items, index: Tensor | None = None) -> Batch:
        """Items that were read, on the device."""
        x, labels, where = (None if t is None else t.to(self.device, non_blocking=True) for t in (*items, index))
        assert x is not None
        return Batch(as_floats(x), labels, where)

    def loader(self, batch_size: int, seed: int) -> OnDiskLoader:
        """Batches that pass over the items in a new random order each epoch, read ahead by the workers.

        Raises:
            DataError: If a batch has more items than the data.
        """
        return OnDiskLoader(self, batch_size, seed)


class OnDiskLoader(Loader):
    """Passes over streamed data. `close()`, or forgetting the loader, ends the workers.

    The first batch is read without them: who takes one batch only, as metrics do, starts no processes.
    """

    def __init__(self, data: OnDiskData, batch_size: int, seed: int) -> None:
        self.data, self.served = data, 0
        self.epochs = Epochs(data.items, batch_size, seed)
        self._ahead: Generator[Batch] | None = None

    def __next__(self) -> Batch:
        """The next batch of the epoch, or the first of the next one."""
        self._ahead = self._ahead or _batches(self.data, self.epochs, self.served)
        try:
            batch = next(self._ahead)
        except BaseException:
            self.close()
            raise
        self.served += 1
        return batch

    def state_dict(self) -> dict[str, Any]:
        """The number of batches served; those that were read ahead do not count."""
        return {"served": self.served}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue after that many batches, without reading them."""
        self.close()
        self.served = int(state["served"])

    def close(self) -> None:
        """End the workers."""
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None


def _batches(data: OnDiskData, epochs: Epochs, first: int) -> Generator[Batch]:
    # Not a method: a generator that knew its loader would keep it, and the workers, from being forgotten.
    asked: deque[Tensor] = deque()

    def positions() -> Iterator[list[int]]:
        for number in count(first + 1):
            asked.append(epochs.batch(number))
            yield asked[-1].tolist()

    yield data.take(epochs.batch(first).to(data.device))
    for items in read_batches(data.train, positions(), data.workers, pinned=data.device.type == "cuda"):
        yield data.batch(items, asked.popleft())
