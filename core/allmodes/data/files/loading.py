"""Items that are read by position, where from a subclass knows; and how they become data, in memory or streamed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import psutil
import torch
from torch import Tensor

from allmodes.data.base import DataError, Origin, fingerprint_of
from allmodes.data.finite import FiniteData, TensorData
from allmodes.data.standardisation import Units
from allmodes_schemas import Shape

Memory: TypeAlias = Literal["auto", "resident", "stream"]

SHARE = 0.5
"""Share of the free memory that data may fill before they are streamed."""
SAMPLED = 500
"""Items that a fingerprint reads of each part, evenly spaced; all, where there are no more."""
CHUNK = 500
"""Items that are read at a time into memory."""
_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))

log = logging.getLogger("allmodes.data")


class Items(NamedTuple):
    """Items as they are stored: x (n, *shape), bytes or float32, and labels (n,) where there are any."""

    x: Tensor
    labels: Tensor | None = None


class Source:
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
        """Look cheaply at the items at these positions, before training streams them.

        Raises:
            DataError: If one does not fit.
        """

    def labels_at(self, positions: Sequence[int]) -> Tensor | None:
        """Labels at these positions, where they are known without reading."""
        return None if self.labels is None else self.labels[torch.as_tensor(positions, dtype=torch.long)]


class Part(Source):
    """Some items of a source."""

    def __init__(self, whole: Source, positions: Tensor) -> None:
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
        """Look at the whole's items there."""
        self.whole.check(self.positions[torch.as_tensor(list(positions), dtype=torch.long)].tolist())


class InMemory(Source):
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


@dataclass(frozen=True)
class Keeping:
    """Where items are kept: in memory (`resident`), where they are (`stream`), or as they fit (`auto`)."""

    memory: Memory = "auto"
    workers: int = 0
    """Processes that read items, into memory or batch by batch."""

    def streams(self, need: int, name: str) -> bool:
        """Whether items that take `need` bytes are read batch by batch; said in the log where memory decides."""
        if self.memory != "auto":
            return self.memory == "stream"
        free = free_memory()
        how = "streamed" if need > SHARE * free else "kept in memory"
        log.info("data: %s: %s of %s free: %s", name, _in_mb(need), _in_mb(free), how)
        return need > SHARE * free


@dataclass(frozen=True)
class Facts:
    """What is known of data besides their items."""

    classes: int | None = None
    class_names: tuple[str, ...] | None = None
    units: Units | None = None
    origin: Origin = field(default=Origin(), repr=False)  # which must not change fingerprints


def data_of(train: Source, test: Source, keeping: Keeping, facts: Facts) -> FiniteData:
    """Items to train on and to hold out as data, with the same draws and fingerprint in memory and streamed.

    Raises:
        DataError: If the parts differ in shape or an item cannot be read.
    """
    data = _data_of(train, test, keeping, facts)
    data.origin = facts.origin if facts.origin.name else replace(facts.origin, name=train.name)
    return data


def _data_of(train: Source, test: Source, keeping: Keeping, facts: Facts) -> FiniteData:
    _check_shapes(train, test)
    if keeping.streams(size_in_memory(train) + size_in_memory(test), train.name):
        from allmodes.data.files.streaming import StreamedData

        for source in (train, test):
            source.check(range(len(source)))
        return StreamedData(train, test, keeping.workers, facts, _fingerprint(train, test, facts))
    seen, unseen = (InMemory(source.name, read_all(source, keeping.workers)) for source in (train, test))
    return TensorData(
        *seen.items,
        *unseen.items,
        facts.classes,
        class_names=facts.class_names,
        units=facts.units,
        fingerprint=_fingerprint(seen, unseen, facts),
    )


def read_all(source: Source, workers: int = 0) -> Items:
    """Every item of a source, in its order; workers help where reading is slow."""
    from allmodes.data.files.workers import served

    chunks = [list(range(i, min(i + CHUNK, len(source)))) for i in range(0, len(source), CHUNK)]
    x = torch.empty((len(source), *source.shape), dtype=source.dtype)
    labels = []
    for chunk, items in zip(chunks, served(source, chunks, workers if len(chunks) > 2 else 0), strict=True):
        x[chunk[0] : chunk[-1] + 1] = items.x
        labels += [] if items.labels is None else [items.labels]
    return Items(x, torch.cat(labels) if labels else None)


def split(items: int, share: float, labels: Tensor | None, name: str) -> tuple[Tensor, Tensor]:
    """Positions to train on and to hold out: always the same, and in the same share of every class.

    Raises:
        DataError: If there are fewer than two items.
    """
    if items < 2:
        raise DataError(f"data: {name} has {items or 'no'} items, but one is to train on and one to hold out")
    order = torch.randperm(items, generator=torch.Generator().manual_seed(0))
    if labels is not None:
        order = order[labels[order].argsort(stable=True)]
    out = min(max(round(items * share), 1), items - 1)
    picked = ((torch.arange(out, dtype=torch.float64) + 0.5) * items / out).long()  # evenly spaced over the classes
    kept = torch.ones(items, dtype=torch.bool)
    kept[order[picked]] = False
    return kept.nonzero()[:, 0], (~kept).nonzero()[:, 0]


def parts(source: Source, share: float) -> tuple[Part, Part]:
    """A source's items to train on and to hold out."""
    train, test = split(len(source), share, source.labels, source.name)
    return Part(source, train), Part(source, test)


def size_in_memory(source: Source) -> int:
    """Bytes that all items take in memory."""
    return len(source) * prod(source.shape) * source.dtype.itemsize


def free_memory() -> int:
    """Bytes that are free on this machine, or to this container where it may take less."""
    free: int = psutil.virtual_memory().available
    for limit, used in _LIMITS:
        try:
            numbers = [int((Path("/sys/fs/cgroup") / name).read_text()) for name in (limit, used)]
        except (OSError, ValueError):  # no such file, or no limit: "max"
            continue
        free = min(free, numbers[0] - numbers[1])
    return max(free, 0)


def _fingerprint(train: Source, test: Source, facts: Facts) -> str:
    parts: list[object] = [facts]
    for source in (train, test):
        step = max(1, len(source) // SAMPLED)
        sample = source.read(range(0, len(source), step))
        parts += [len(source), sample.x, sample.labels if source.labels is None else source.labels]
    return fingerprint_of(*parts)


def _check_shapes(train: Source, test: Source) -> None:
    if train.shape != test.shape:
        raise DataError(
            f"data: {test.name} has items of shape {test.shape}, but {train.name} has items of shape {train.shape}: "
            "make them alike"
        )


def _in_mb(size: float) -> str:
    return f"{size / 2**20:,.0f} MB"
