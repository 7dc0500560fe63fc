"""Items that are read by position, where from a subclass knows; and how they become data, in memory or streamed."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from allmodes.data.base import DataError, DataInfo, fingerprint_of
from allmodes.data.files.on_disk import OnDiskData
from allmodes.data.files.source import Items, ItemsInMemory, ItemSource, Subset
from allmodes.data.files.storage import StoragePolicy
from allmodes.data.files.workers import read_batches
from allmodes.data.finite import FiniteData, TensorData

SAMPLED = 500
"""Items that a fingerprint reads of each part, evenly spaced; all, where there are no more."""
CHUNK = 500
"""Items that are read at a time into memory."""


def data_of(train: ItemSource, test: ItemSource, keeping: StoragePolicy, facts: DataInfo) -> FiniteData:
    """Items to train on and to hold out as data, with the same draws and fingerprint in memory and streamed.

    Raises:
        DataError: If the parts differ in shape or an item cannot be read.
    """
    data = _data_of(train, test, keeping, facts)
    data.origin = facts.origin if facts.origin.name else replace(facts.origin, name=train.name)
    return data


def _data_of(train: ItemSource, test: ItemSource, keeping: StoragePolicy, facts: DataInfo) -> FiniteData:
    _check_shapes(train, test)
    if keeping.streams(size_in_memory(train) + size_in_memory(test), train.name):
        for source in (train, test):
            source.check(range(len(source)))
        return OnDiskData(train, test, keeping.workers, facts, _fingerprint(train, test, facts))
    seen, unseen = (ItemsInMemory(source.name, read_all(source, keeping.workers)) for source in (train, test))
    return TensorData(
        *seen.items,
        *unseen.items,
        facts.classes,
        class_names=facts.class_names,
        units=facts.units,
        fingerprint=_fingerprint(seen, unseen, facts),
    )


def read_all(source: ItemSource, workers: int = 0) -> Items:
    """Every item of a source, in its order; workers help where reading is slow."""
    chunks = [list(range(i, min(i + CHUNK, len(source)))) for i in range(0, len(source), CHUNK)]
    x = torch.empty((len(source), *source.shape), dtype=source.dtype)
    labels = []
    for chunk, items in zip(chunks, read_batches(source, chunks, workers if len(chunks) > 2 else 0), strict=True):
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


def parts(source: ItemSource, share: float) -> tuple[Subset, Subset]:
    """A source's items to train on and to hold out."""
    train, test = split(len(source), share, source.labels, source.name)
    return Subset(source, train), Subset(source, test)


def size_in_memory(source: ItemSource) -> int:
    """Bytes that all items take in memory."""
    return len(source) * prod(source.shape) * source.dtype.itemsize


def _fingerprint(train: ItemSource, test: ItemSource, facts: DataInfo) -> str:
    parts: list[object] = [_text(facts)]
    for source in (train, test):
        step = max(1, len(source) // SAMPLED)
        sample = source.read(range(0, len(source), step))
        parts += [len(source), sample.x, sample.labels if source.labels is None else source.labels]
    return fingerprint_of(*parts)


def _text(info: DataInfo) -> bytes:
    """What a fingerprint holds of the info: in the words of the first runs, which must still be resumed."""
    of = info.units
    units = None if of is None else f"Units(mean={of.mean}, std={of.std}, columns={of.columns})"
    return f"Facts(classes={info.classes}, class_names={info.class_names}, units={units})".encode()


def _check_shapes(train: ItemSource, test: ItemSource) -> None:
    if train.shape != test.shape:
        raise DataError(
            f"data: {test.name} has items of shape {test.shape}, but {train.name} has items of shape {train.shape}: "
            "make them alike"
        )
