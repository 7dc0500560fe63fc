"""Labelled items: a small subset of the training data, chosen once, of which a draw comes with each batch.

It is drawn with replacement by a generator of its own, whose state is the place in the stream: so it is the same for
data in memory, on disk or without end, and a resumed run goes on with the next draw.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from typing_extensions import override

from allmodes.data.base import Data, DataError, Loader
from allmodes.data.batch import Batch
from allmodes.data.description import listed
from allmodes.data.files.labels import NUMBER
from allmodes.data.finite import FiniteData, TensorData
from allmodes.data.fresh import FreshLoader
from allmodes.data.orders import Way, in_random_order, way_of
from allmodes.system.paths import at_home
from allmodes_schemas import StreamConfig

ITEMS = 500
"""Labelled items where a spec sets no number."""
CHUNK = 500
"""Items that are searched at a time."""
DRAWS = 200
"""Draws of endless data that are searched for a rare class."""


class LabelledItems(TensorData):
    """A few labelled items in memory, drawn with replacement: by class first, where batches are balanced.

    Attributes:
        way: How the order came about in which they were found among the data's.
    """

    def __init__(self, chosen: Batch, classes: int | None, balanced: bool, way: Way = "shuffled") -> None:
        self.way = way
        super().__init__(chosen.x, chosen.labels, classes=classes)
        assert self.labels is not None
        counts = torch.bincount(self.labels)
        self.chances = counts.double().reciprocal()[self.labels] if balanced else torch.ones(self.items).double()

    @override
    def draw(self, n: int, generator: torch.Generator) -> Batch:
        return self.take(torch.multinomial(self.chances, n, replacement=True, generator=generator))


class StreamLoader(FreshLoader):
    """Draws of the labelled items of a stream."""

    def __init__(self, name: str, items: LabelledItems, batch_size: int, seed: int) -> None:
        super().__init__(items, batch_size, seed)
        self.name, self.way = name, items.way

    @override
    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "chosen": self.way}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the draws of the same items.

        Raises:
            DataError: If other items were chosen then: of many, the first version chose by a shuffle of all.
        """
        if state.get("chosen", "shuffled") != self.way:
            what = "this version of allmodes chooses other labelled items among so many"
            raise DataError(f"streams.{self.name}: {what}: start a new run")
        super().load_state_dict(state)


class LabelledLoader(Loader):
    """Batches of a loader, each with a draw of every named stream."""

    def __init__(self, batches: Loader, streams: Mapping[str, Loader]) -> None:
        self.batches, self.streams = batches, streams

    @override
    def __next__(self) -> Batch:
        batch = next(self.batches)
        streams = {name: next(stream) for name, stream in self.streams.items()}
        return Batch(batch.x, batch.labels, batch.index, streams)  # `replace` takes thrice as long

    @override
    def state_dict(self) -> dict[str, Any]:
        streams = {name: stream.state_dict() for name, stream in self.streams.items()}
        return {"batches": self.batches.state_dict(), "streams": streams}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.batches.load_state_dict(state["batches"])
        for name, stream in self.streams.items():
            stream.load_state_dict(state["streams"][name])

    @override
    def part(self, part: int, of: int) -> LabelledLoader:
        streams = {name: stream.part(part, of) for name, stream in self.streams.items()}
        return LabelledLoader(self.batches.part(part, of), streams)

    @override
    def close(self) -> None:
        self.batches.close()


def choose_labelled(name: str, config: StreamConfig, data: Data, generator: torch.Generator) -> LabelledItems:
    """Choose the items of a stream, the same for the same data and generator.

    Args:
        name: What messages call it.
        config: Number of the items, and the file of their labels, if any.
        data: Training data.
        generator: Chooses the items, on the CPU whatever the data's device.

    Raises:
        DataError: If there are too few items, or the file of labels is not as it should be.
    """
    where = f"streams.{name}"
    given = None if config.labels_file is None else _read_labels(where, at_home(config.labels_file), data)
    batches = _shuffle(data, generator) if given is None else _shuffle_named(data, given, generator)
    if config.per_class is not None:
        classes = data.classes if given is None or data.classes is not None else max(given.values()) + 1
        chosen = _take_per_class(where, batches, config.per_class, classes or 0)
    else:
        wanted = config.items or (ITEMS if given is None else len(given))
        chosen = _take_first(where, batches, wanted)
    searched = given is None and isinstance(data, FiniteData)
    return LabelledItems(chosen, data.classes, config.balanced, way_of(data.items or 0) if searched else "shuffled")


def _shuffle(data: Data, generator: torch.Generator) -> Iterator[Batch]:
    """Training items in random order, or fresh ones; with the data's own labels."""
    if not isinstance(data, FiniteData):
        fresh = data.to("cpu")
        yield from (fresh.draw(CHUNK, generator) for _ in range(DRAWS))
        return
    for index in in_random_order(data.items, CHUNK, generator):
        yield data.take(index.to(data.device))


def _shuffle_named(data: Data, given: Mapping[int, int], generator: torch.Generator) -> Iterator[Batch]:
    """The items that a file names, in random order, with the labels that it gives them."""
    assert isinstance(data, FiniteData)
    index, labels = torch.tensor(list(given)), torch.tensor(list(given.values()))
    for chosen in torch.split(torch.randperm(len(index), generator=generator), CHUNK):
        yield replace(data.take(index[chosen].to(data.device)), labels=labels[chosen])


def _take_first(where: str, batches: Iterator[Batch], wanted: int) -> Batch:
    taken = list[Batch]()
    while (have := sum(len(batch.x) for batch in taken)) < wanted:
        if (batch := next(batches, None)) is None:
            raise DataError(f"{where}: items is {wanted}, but only {have} could be labelled: set it to {have} or less")
        taken.append(batch)
    return _join(taken, wanted)


def _take_per_class(where: str, batches: Iterator[Batch], wanted: int, classes: int) -> Batch:
    """The first items of each class."""
    have, taken = torch.zeros(classes, dtype=torch.long), list[Batch]()
    while int(have.min()) < wanted:
        if (batch := next(batches, None)) is None or batch.labels is None:
            rare, few = int(have.argmin()), int(have.min())
            raise DataError(f"{where}: per_class is {wanted}, but class {rare} has {few} items: set it to that or less")
        kept = [(batch.labels == k).nonzero().flatten()[: wanted - int(have[k])] for k in range(classes)]
        have += torch.tensor([len(of_class) for of_class in kept])
        rows = torch.cat(kept)
        taken.append(Batch(batch.x[rows], batch.labels[rows]))
    return _join(taken, wanted * classes)


def _join(batches: Sequence[Batch], n: int) -> Batch:
    """The first n items of all batches, on the CPU."""
    x = torch.cat([batch.x.cpu() for batch in batches])
    labels = torch.cat([batch.labels.cpu() for batch in batches if batch.labels is not None])
    return Batch(x[:n], labels[:n])


# Files of labels


def _read_labels(where: str, path: Path, data: Data) -> dict[int, int]:
    """Label by position in the training data, of a CSV of index and label, with or without a header.

    Raises:
        DataError: If the file cannot be read, or a line is not as it should be; the message names it.
    """
    if not isinstance(data, FiniteData):
        raise DataError(f"{where}: labels_file names items by position, but these data have none: remove it")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(i, cells) for i, cells in enumerate(csv.reader(file), 1) if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{where}: {path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if lines and [cell.strip() for cell in lines[0][1]] == ["index", "label"]:
        lines = lines[1:]
    given: dict[int, int] = {}
    for i, cells in lines:
        index, label = _parse_line(f"{where}: {path}, line {i}", cells, data)
        if index in given:
            raise DataError(f"{where}: {path}, line {i}: item {index} has a label already: give each item one")
        given[index] = label
    if not given:
        raise DataError(f"{where}: {path} has no labels: give a line of index,label for each labelled item")
    return given


def _parse_line(where: str, cells: Sequence[str], data: FiniteData) -> tuple[int, int]:
    if len(cells) != 2:
        raise DataError(f"{where}: has {len(cells)} cells: write index,label")
    index, label = (cell.strip() for cell in cells)
    if not index.isdecimal() or int(index) >= data.items:
        raise DataError(
            f"{where}: index {index!r} is not a position in the training data: they are 0 to {data.items - 1}"
        )
    names = data.class_names or ()
    if label in names:
        return int(index), names.index(label)
    if names and all(map(NUMBER.fullmatch, names)):  # then a number is a name, and never a position
        raise DataError(f"{where}: label {label!r} is not a class: classes are {listed(names)}")
    if not label.isdecimal() or (data.classes is not None and int(label) >= data.classes):
        known = f"classes are 0 to {data.classes - 1}" if data.classes is not None else "give a number from 0"
        raise DataError(f"{where}: label {label!r} is not a class: {known}")
    return int(index), int(label)
