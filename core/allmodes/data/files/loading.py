"""From items that are read by position to data, in memory or on disk."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from allmodes.data.base import DataError, DataInfo, fingerprint_of
from allmodes.data.files.missing import Missing
from allmodes.data.files.on_disk import OnDiskData
from allmodes.data.files.source import Items, ItemsInMemory, ItemSource, Subset, chunks, spread
from allmodes.data.files.storage import StoragePolicy
from allmodes.data.files.workers import read_batches
from allmodes.data.finite import FiniteData, TensorData

SAMPLED = 500
"""Items of each side that a fingerprint reads, evenly spaced; all, where there are no more."""
CHUNK = 500
"""Items that are read at a time into memory."""


@dataclass(frozen=True)
class ReadOptions:
    """Settings for making data of items, the same for all kinds of files.

    Attributes:
        held_out: Share of the items that are held out, where there is no test set.
        storage: Where the items are kept.
        standardise: Whether each column of numbers is given zero mean and unit variance.
        missing: What becomes of items with a missing or infinite number, or a missing label.
    """

    held_out: float = 0.1
    storage: StoragePolicy = field(default_factory=StoragePolicy)
    standardise: bool = True
    missing: Missing = "refuse"


def build_data(train: ItemSource, test: ItemSource | None, options: ReadOptions, info: DataInfo) -> FiniteData:
    """Build data of items, with the same draws and fingerprint in memory and on disk.

    Args:
        train: Items to train on, and to hold out where there is no test source.
        test: Items to hold out.
        options: How they become data.
        info: What is known besides the items.

    Raises:
        DataError: If train and test items differ in shape or an item cannot be read.
    """
    if test is None:
        train, test = hold_out(train, options.held_out)
    if train.shape != test.shape:
        have = f"{test.name} has items of shape {test.shape}, but {train.name} has items of shape {train.shape}"
        raise DataError(f"data: {have}: make them alike")
    data: FiniteData
    storage = options.storage
    if storage.keeps_on_disk(train.size_in_memory + test.size_in_memory, train.name):
        for source in (train, test):
            source.check(range(len(source)))
        data = OnDiskData(train, test, storage.workers, info, _fingerprint(train, test, info))
    else:
        train, test = (ItemsInMemory(source.name, read_all(source, storage.workers)) for source in (train, test))
        names, fingerprint = info.class_names, _fingerprint(train, test, info)
        data = TensorData(
            *train.items, *test.items, info.classes, class_names=names, units=info.units, fingerprint=fingerprint
        )
    data.origin = info.origin
    return data


def read_all(source: ItemSource, workers: int = 0) -> Items:
    """Read every item of a source, in its order; workers help where reading is slow."""
    batches = list(chunks(len(source), CHUNK))
    x = torch.empty((len(source), *source.shape), dtype=source.dtype)
    labels = []
    for positions, items in zip(
        batches, read_batches(source, batches, workers if len(batches) > 2 else 0), strict=True
    ):
        x[positions.start : positions.stop] = items.x
        labels += [] if items.labels is None else [items.labels]
    return Items(x, torch.cat(labels) if labels else None)


def hold_out(source: ItemSource, share: float) -> tuple[Subset, Subset]:
    """Divide a source into items to train on and to hold out.

    Raises:
        DataError: If there are fewer than two items.
    """
    train, test = split(len(source), share, source.labels, source.name)
    return Subset(source, train), Subset(source, test)


def split(items: int, share: float, labels: Tensor | None, name: str) -> tuple[Tensor, Tensor]:
    """Choose positions to train on and to hold out: always the same, and in the same share of every class.

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


def _fingerprint(train: ItemSource, test: ItemSource, info: DataInfo) -> str:
    values: list[object] = [_text(info)]
    for source in (train, test):
        sample = source.read(spread(len(source), SAMPLED))
        values += [len(source), sample.x, sample.labels if source.labels is None else source.labels]
    return fingerprint_of(*values)


def _text(info: DataInfo) -> bytes:
    """The info as a fingerprint holds it, spelt as in the first release, whose runs must stay resumable."""
    of = info.units
    units = None if of is None else f"Units(mean={of.mean}, std={of.std}, columns={of.columns})"
    return f"Facts(classes={info.classes}, class_names={info.class_names}, units={units})".encode()
