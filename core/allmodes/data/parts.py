"""Parts of batches: what one of several processes that share each batch learns from."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from typing_extensions import override

from allmodes.data.base import Loader
from allmodes.data.batch import Batch


class PartLoader(Loader):
    """The same part of each batch of a loader, which makes whole ones; its state is that of the loader."""

    def __init__(self, whole: Loader, part: int, of: int) -> None:
        self.whole, self.place, self.of = whole, part, of

    @override
    def __next__(self) -> Batch:
        return part_of(next(self.whole), self.place, self.of)

    @override
    def state_dict(self) -> dict[str, Any]:
        return self.whole.state_dict()

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.whole.load_state_dict(state)

    @override
    def close(self) -> None:
        self.whole.close()


def part_of(batch: Batch, part: int, of: int, multiple: int = 1, most: int = sys.maxsize) -> Batch:
    """The items of a part, numbered from 0, of so many equal ones, with those of the streams.

    Each part has a `multiple` of items, and at most so many; of a stream any number. What is left over is in none.
    """
    n = min(len(batch.x) // of // multiple * multiple, most)
    x, labels, index = (None if t is None else _cut(t, n, part) for t in (batch.x, batch.labels, batch.index))
    assert x is not None
    return Batch(x, labels, index, {name: part_of(stream, part, of) for name, stream in batch.streams.items()})


def _cut(tensor: Tensor, n: int, part: int) -> Tensor:
    return tensor[part * n : (part + 1) * n].data  # no view to autograd, or nobody could write into one of several
