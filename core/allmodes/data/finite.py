"""Finite data: items at positions, some to train on and some held out, and passes over them."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Self

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.base import Data, DataError, Device, Loader, fingerprint_of
from allmodes.data.batch import Batch
from allmodes.data.blocks import batches_of_block, split
from allmodes.data.orders import MANY, Epochs
from allmodes.data.standardisation import COARSE, Standardisation
from allmodes_schemas import Shape

READ = 500
"""Items that are read at a time for their labels."""


class FiniteData(Data):
    """Items at positions. Draws depend on positions alone, and so are the same in memory and on disk.

    Attributes:
        items: Number of training items.
        test_items: Number of items that are not trained on.
        labels: Labels of all training items (items,), where they are known without reading them.
    """

    items: int
    test_items: int = 0
    labels: Tensor | None = None

    def take(self, index: Tensor) -> Batch:
        """Take training items by position (n,), on the data's device."""
        raise NotImplementedError(f"{type(self).__name__} does not define take(index)")

    def take_held_out(self, index: Tensor) -> Batch:
        """Take items that are not trained on by position (n,), on the data's device."""
        raise NotImplementedError(f"{type(self).__name__} does not define take_held_out(index)")

    @override
    def draw(self, n: int, generator: torch.Generator) -> Batch:
        return self.take(torch.randint(self.items, (n,), generator=generator, device=self.device))

    @override
    def held_out(self, n: int, generator: torch.Generator) -> Batch:
        if not self.test_items:
            raise DataError("data: there are no held-out items: give TensorData a test_x")
        return self.take_held_out(_choose(n, self.test_items, generator))

    @override
    def shares(self) -> Tensor:
        labels = self._read_labels() if self.labels is None else self.labels
        return labels.cpu().bincount(minlength=self.classes or 0).double() / self.items

    def _read_labels(self) -> Tensor:
        if self.classes is None:
            raise DataError("data: the items have no labels to count")
        positions = torch.split(torch.arange(self.items, device=self.device), READ)
        labels = (self.take(index).labels for index in positions)
        return torch.cat([chunk for chunk in labels if chunk is not None])


class TensorData(FiniteData):
    """Finite data on a device.

    Args:
        x: Training items (N, *shape); bytes are kept as they are and drawn as floats in [-1, 1], all else is float32.
        labels: Their labels (N,) in [0, classes).
        test_x: Items that are not trained on (M, *shape).
        test_labels: Their labels (M,).
        classes: Number of labels; by default one more than the largest.
        class_names: Names of the labels in their order.
        units: Units that samples are converted back to.
        fingerprint: Identifies these data; by default a hash of all the tensors.

    Raises:
        DataError: If there are no items, or items, labels and test items do not fit together.
    """

    def __init__(
        self,
        x: Tensor,
        labels: Tensor | None = None,
        test_x: Tensor | None = None,
        test_labels: Tensor | None = None,
        classes: int | None = None,
        *,
        class_names: tuple[str, ...] | None = None,
        units: Standardisation | None = None,
        fingerprint: str | None = None,
    ) -> None:
        _check_fit("the training data", x, labels)
        if test_x is not None:
            _check_fit("the test data", test_x, test_labels, tuple(x.shape[1:]))
        self.x, self.labels = _store(x), None if labels is None else labels.long()
        self.test_x = None if test_x is None else _store(test_x)
        self.test_labels = None if test_labels is None else test_labels.long()
        self.shape, self.items, self.device = tuple(x.shape[1:]), len(x), x.device
        self.test_items = 0 if test_x is None else len(test_x)
        self.classes = int(labels.max()) + 1 if classes is None and labels is not None else classes
        self.class_names, self.units = class_names, units
        tensors = (self.x, self.labels, self.test_x, self.test_labels)
        self.fingerprint = fingerprint or fingerprint_of(*tensors, self.classes)

    def check_finite(self) -> None:
        """Check that all items are finite.

        Raises:
            DataError: With the first that has NaN or infinity.
        """
        for which, x in (("training", self.x), ("test", self.test_x)):
            if x is not None and not bool(x.isfinite().all()):
                item, *place = (~x.isfinite()).nonzero()[0].tolist()
                what = f"item {item} of the {which} data has {float(x[item, *place]):g} at {place}"
                raise DataError(f"data: {what}: give finite numbers, or leave the item out")

    @override
    def to(self, device: Device) -> Self:
        moved = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(moved, name, value.to(device))
        moved.device = moved.x.device
        return moved

    @override
    def take(self, index: Tensor) -> Batch:
        labels = None if self.labels is None else self.labels.index_select(0, index)
        return Batch(as_floats(self.x.index_select(0, index)), labels, index)

    @override
    def take_held_out(self, index: Tensor) -> Batch:
        assert self.test_x is not None
        labels = None if self.test_labels is None else self.test_labels[index]
        return Batch(as_floats(self.test_x[index]), labels)

    @override
    def loader(self, batch_size: int, seed: int) -> Loader:
        return EpochLoader(self, batch_size, seed)


class EpochLoader(Loader):
    """Passes over data in memory; its state is the number of batches served. Several are gathered at a time."""

    def __init__(self, data: TensorData, batch_size: int, seed: int) -> None:
        self.data, self.served = data, 0
        self.epochs = Epochs(data.items, batch_size, seed, data.device)
        self._batches = batches_of_block(data.shape, batch_size)
        self._block: Iterator[Batch] = iter(())

    @override
    def __next__(self) -> Batch:
        batch = next(self._block, None) or self._gather()
        self.served += 1
        return batch

    @override
    def state_dict(self) -> dict[str, Any]:
        return self.epochs.state_dict(self.served)

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.served, self._block = self.epochs.load_state_dict(state), iter(())

    def _gather(self) -> Batch:
        index, place = self.epochs.block(self.served, self._batches)
        # The whole block after a resume, too: each batch is where it is in memory of an unbroken run, on which bits may
        # depend.
        self._block = iter(split(self.data.take(index), self.epochs.batch_size)[place:])
        return next(self._block)


def as_floats(x: Tensor) -> Tensor:
    """Convert stored items to floats, bytes to [-1, 1]."""
    return x.float().div_(127.5).sub_(1) if x.dtype == torch.uint8 else x


def _store(x: Tensor) -> Tensor:
    if x.dim() == 2 and x.dtype in (torch.float64, torch.int64):
        low, high = x.double().aminmax(dim=0)
        if bool(((high > low) & (high - low < COARSE * torch.maximum(low.abs(), high.abs()))).any()):
            what = "the spread of a coordinate is so small beside its numbers that float32 loses digits of it"
            warnings.warn(
                f"data: {what}: standardise it first, as from_dataset(..., standardise=True) does", stacklevel=3
            )
    return x.contiguous() if x.dtype == torch.uint8 else x.float().contiguous()


def _check_fit(which: str, x: Tensor, labels: Tensor | None, shape: Shape | None = None) -> None:
    if len(x) == 0:
        raise DataError(f"data: {which} have no items")
    if shape is not None and tuple(x.shape[1:]) != shape:
        raise DataError(f"data: {which} have items of shape {tuple(x.shape[1:])} but the training data of {shape}")
    if labels is not None and len(labels) != len(x):
        raise DataError(f"data: {which} have {len(x)} items but {len(labels)} labels")


def _choose(n: int, items: int, generator: torch.Generator) -> Tensor:
    """Draw n positions, different ones where there are as many."""
    if n > items:
        return torch.randint(items, (n,), generator=generator, device=generator.device)
    if items > MANY and 4 * n <= items and (few := choose_few(n, items, generator)) is not None:
        return few
    return torch.randperm(items, generator=generator, device=generator.device)[:n]


def choose_few(n: int, items: int, generator: torch.Generator) -> Tensor | None:
    """The first n different ones of 2n positions, as a shuffle of all items would give them; None where there are less.

    A shuffle of ten million items takes as long as a hundred iterations of a small GAN.
    """
    drawn = torch.randint(items, (2 * n,), generator=generator, device=generator.device)
    different, which = torch.unique(drawn, return_inverse=True)
    first = which.new_full(different.shape, 2 * n).scatter_reduce(0, which, torch.arange(2 * n).to(which), "amin")
    return drawn[first.sort().values[:n]] if len(different) >= n else None
