"""A user's own torch data set as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch.utils.data import IterableDataset

from allmodes.data.base import DataError, DataInfo, Origin
from allmodes.data.description import listed
from allmodes.data.files.items import LABELS, Keys
from allmodes.data.files.loading import SAMPLED, ReadOptions, build_data, hold_out
from allmodes.data.files.pixels import Range, check_range
from allmodes.data.files.source import Items, ItemsInMemory, ItemSource, spread
from allmodes.data.files.standardise import StandardisedVectors, check_precision, measure
from allmodes.data.files.storage import Memory, StoragePolicy
from allmodes.data.files.torch_source import Dataset, TorchDatasetSource, listed_labels
from allmodes.data.finite import FiniteData, TensorData
from allmodes.data.standardisation import Standardisation
from allmodes.system.torch_settings import plain_torch

FEW = 1000
"""Classes that data may have however few their items are."""


@plain_torch()
def from_dataset(
    dataset: Dataset,
    *,
    test: Dataset | None = None,
    held_out: float = 0.1,
    memory: Memory = "auto",
    workers: int = 0,
    classes: int | None = None,
    range: Range | None = None,
    name: str | None = None,
    x: str | None = None,
    label: str | None = None,
    standardise: bool = False,
) -> FiniteData:
    """Read the items of any map-style `torch.utils.data.Dataset` as data to learn from.

    Args:
        dataset: Gives x, (x,), (x, y) or a mapping of them by position: x a vector (F,), an image (C, H, W), (H, W, C)
            or (H, W), or a PIL image; y a whole number from 0, alone or one-hot. Images are bytes or floats in [-1, 1].
            Each item must always be the same: augmentation would make a run depend on where the items are kept.
        test: Items that are not trained on.
        held_out: Share of the items that are not trained on, where there is no `test`.
        memory: `resident`, `stream`, or `auto`: in memory where they take at most half of what is free.
        workers: Processes that read items.
        classes: Number of labels; by default `len(dataset.classes)`, or one more than the largest in memory.
        range: Values that are black and white, such as (0, 1), where images are not in [-1, 1].
        name: What messages call it; by default the class's name.
        x: Key of what is learned, where items are mappings; by default the usual one, such as `image`.
        label: Key of their label; by default the usual one, such as `label`, if any.
        standardise: Whether each coordinate of vectors is given zero mean and unit variance, in double precision, as
            the columns of files are; samples are converted back.

    Raises:
        DataError: If it is not map-style, or an item is of another form or shape than the first.
    """
    name, keys = name or type(dataset).__name__, Keys(x, label)
    _check_dataset(dataset, name)
    source = TorchDatasetSource(dataset, name, range, classes or _listed_classes(dataset, label), keys)
    _check_sample_range(source)
    pair: tuple[ItemSource, ItemSource]
    pair = hold_out(source, held_out) if test is None else (source, _test_source(source, test))
    info = _describe(source)
    if len(source.shape) == 1:
        units = _standardisation(pair[0], standardise)
        pair = StandardisedVectors(pair[0], units), StandardisedVectors(pair[1], units)
        info = replace(info, units=units)
    data = build_data(pair[0], pair[1], ReadOptions(storage=StoragePolicy(memory, workers)), info)
    _count_classes(data, None if test is None else pair[1].name)
    if source.labelled and data.classes is None:
        raise DataError(f"data: {name} has labels, but streaming does not see them all: set their number with classes")
    return data


def _test_source(train: TorchDatasetSource, dataset: Dataset) -> TorchDatasetSource:
    """The items of a test set, which have labels where those that are trained on have."""
    _check_dataset(dataset, name := f"the test set of {train.name}")
    test = TorchDatasetSource(dataset, name, train.range, train.classes, train.keys)
    if train.labelled != test.labelled:
        have, have_not = (train, test) if train.labelled else (test, train)
        raise DataError(f"data: {have.name} has labels, but {have_not.name} has none: make them alike")
    return test


def _standardisation(train: ItemSource, standardise: bool) -> Standardisation | None:
    """Measure vectors that are trained on, which are read once; without standardisation, a sample is checked."""
    positions = spread(len(train), len(train) if standardise else SAMPLED)
    vectors = ItemsInMemory(train.name, Items(train.read(positions).x))
    if standardise:
        return measure(vectors)
    check_precision(vectors, remedy="give from_dataset(..., standardise=True)")
    return None


def _count_classes(data: FiniteData, test: str | None) -> None:
    """Count the classes: in memory those of held-out items too, unless these have a data set of their own."""
    labels = torch.empty(0)
    if isinstance(data, TensorData) and data.labels is not None and data.test_labels is not None:
        labels, most = torch.cat([data.labels, data.test_labels]), int(data.test_labels.max())
        if test is not None and most >= (data.classes or 0):
            raise DataError(f"data: {test} has the label {most}, which the training data do not have")
        data.classes = max(data.classes or 0, most + 1)
    items = data.items + data.test_items
    if data.classes and data.classes > max(FEW, items):  # numbers of customers, or the like
        have = f"labels up to {data.classes - 1}, but {items} items"
        raise DataError(f"data: {data.origin.name} has {have}: number the classes from 0 without gaps")
    if len(labels) and (empty := (labels.bincount(minlength=data.classes or 0) == 0).nonzero()[:, 0].tolist()):
        note = f"no item has the label {listed(list(map(str, empty)), 3)}"
        data.origin = replace(data.origin, notes=(*data.origin.notes, note))


def _describe(train: TorchDatasetSource) -> DataInfo:
    left_out = tuple(f"key {key!r}" for key in train.keys.unused(train.dataset[0]))
    origin = Origin(train.name, left_out=left_out, notes=train.notes())
    names = _class_names(train.dataset, train.keys.label) if train.labelled and train.lists_labels else ()
    fits = bool(names) and len(names) == train.classes
    return DataInfo(train.classes if train.labelled else None, names if fits else None, origin=origin)


def _check_dataset(dataset: Any, name: str) -> None:
    """Check that items are read by position.

    Raises:
        DataError: If not, with the way to read them.
    """
    have = f"data: {name} gives no items by position"
    if isinstance(dataset, Mapping):
        keys = f"but by the keys {', '.join(map(repr, dataset))}"
        raise DataError(f"{have}, {keys}: give one data set, such as [{next(iter(dataset), 'train')!r}]")
    if hasattr(dataset, "to_numpy"):
        raise DataError(f"{have}: give its to_numpy(), or write it to a file that a spec names")
    if isinstance(dataset, str | bytes):
        raise DataError(f"{have}: to learn from a file, name it in a spec, such as data: {{kind: csv, path: ...}}")
    if isinstance(getattr(dataset, "dataset", None), Dataset) and not isinstance(dataset, Dataset):
        raise DataError(f"{have}: give its dataset")
    if isinstance(dataset, IterableDataset) or not isinstance(dataset, Dataset):
        raise DataError(f"{have}: give a data set with __len__ and __getitem__")
    if isinstance(dataset, tuple) and len(dataset) == 2 and all(hasattr(half, "shape") for half in dataset):
        raise DataError(f"{have}, but is a pair of arrays: give torch.utils.data.TensorDataset(x, y)")


def _check_sample_range(source: TorchDatasetSource) -> None:
    """Refuse floats that are never negative: they are in [0, 1], as torchvision's `ToTensor` gives them."""
    if len(source.shape) == 3 and source.dtype != torch.uint8 and source.range is None:
        x, _ = source.read(spread(len(source), SAMPLED))
        check_range(source.name, float(x.min()), float(x.max()), None)


def _listed_classes(dataset: Dataset, label: str | None) -> int | None:
    names, labels = _class_names(dataset, label), listed_labels(dataset)
    return len(names) or (None if labels is None else int(labels.max()) + 1)


def _class_names(dataset: Dataset, label: str | None) -> tuple[str, ...]:
    """Names of the classes, where the data set has them, as those of torchvision and Hugging Face do."""
    names, features = getattr(dataset, "classes", None), getattr(dataset, "features", None)
    if isinstance(features, Mapping):
        usual = next((key for key in features if str(key).lower() in LABELS), None)
        names = getattr(features.get(label or usual), "names", None)
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()
