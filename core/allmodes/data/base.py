"""The interface of data: a shape, a fingerprint, draws, held-out items and endless batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.batch import Batch
from allmodes.data.standardisation import Standardisation
from allmodes.data.truth import Truth
from allmodes.registry.builds import built_from
from allmodes_schemas import DatasetConfig, Shape

Device: TypeAlias = str | torch.device


class DataError(ValueError):
    """Data that are missing, do not fit together or cannot be drawn as asked; the message contains the remedy.

    Attributes:
        remedy: Settings of the data's block with which they are read, where the files show them; else empty.
    """

    def __init__(self, message: str, remedy: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.remedy = dict(remedy or {})


class Loader(Iterator[Batch]):
    """An endless iterator of batches, with a state from which a checkpoint continues exactly."""

    def __next__(self) -> Batch:
        """Make the next batch without waiting for the device."""
        raise NotImplementedError(f"{type(self).__name__} does not define __next__()")

    def state_dict(self) -> dict[str, Any]:
        """Position of the loader, as plain numbers and tensors."""
        raise NotImplementedError(f"{type(self).__name__} does not define state_dict()")

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where another loader of the same data, batch size and seed was."""
        raise NotImplementedError(f"{type(self).__name__} does not define load_state_dict(state)")

    def part(self, part: int, of: int) -> Loader:
        """Load a part, numbered from 0, of so many equal ones of each batch, for one of several processes.

        By default the whole batch is made, and cut. Reading files, a loader does better to read its part alone.
        """
        from allmodes.data.parts import PartLoader

        return PartLoader(self, part, of)

    def close(self) -> None:
        """End processes that the loader started; the next batch starts them again."""


@dataclass(frozen=True)
class Origin:
    """Where data come from, which a run reports before it trains.

    Attributes:
        name: File, folder, or what messages call them; without one, messages name the kind.
        held_out: Where the items that are not trained on come from, where they have a place of their own.
        left_out: What is there but not learned, each with the reason, such as `column 'name' (text)`.
        notes: What else may surprise, such as a link that leads elsewhere.
    """

    name: str = ""
    held_out: str = ""
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def with_test(self, name: str, left_out: tuple[str, ...]) -> Origin:
        """Add where held-out items come from, and what of these was left out."""
        more = tuple(f"{what} of {name}" for what in left_out if what not in self.left_out)
        return replace(self, held_out=name, left_out=(*self.left_out, *more))


@dataclass(frozen=True)
class DataInfo:
    """What is known of data besides their items: attributes of `Data`."""

    classes: int | None = None
    class_names: tuple[str, ...] | None = None
    units: Standardisation | None = None
    origin: Origin = Origin()

    @classmethod
    def named(cls, names: tuple[str, ...], origin: Origin, units: Standardisation | None = None) -> DataInfo:
        """Info of data whose classes have these names; without any, they have no labels."""
        return cls(len(names) or None, names or None, units, origin)


@built_from(DatasetConfig)
class Data:
    """A data set: draws, held-out items and batches, on one device.

    Attributes:
        shape: Shape of one item.
        classes: Number of labels, or None where there are none.
        class_names: Names of the labels in their order, where they are known.
        fingerprint: 16 hexadecimal digits that identify these data, whatever device they are on.
        items: Number of training items, or None where they are drawn without end.
        truth: The distribution that the data are drawn from, such as a mixture, where its modes are known.
        device: Where the tensors are; generators that are passed in must be there too.
        units: Units of vectors before they were standardised, to which samples are converted back.
        origin: File or folder that they come from, and what of it was left out.
    """

    shape: Shape
    classes: int | None = None
    class_names: tuple[str, ...] | None = None
    fingerprint: str
    items: int | None = None
    truth: Truth | None = None
    device: torch.device
    units: Standardisation | None = None
    origin: Origin = Origin()

    @override
    def __repr__(self) -> str:
        from allmodes.data.shown import data_text

        return data_text(self)

    def _repr_html_(self) -> str:
        from allmodes.data.shown import data_html

        return data_html(self)

    def to(self, device: Device) -> Data:
        """Copy the data to a device."""
        raise NotImplementedError(f"{type(self).__name__} does not define to(device)")

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n independent training items (of finite data: with replacement)."""
        raise NotImplementedError(f"{type(self).__name__} does not define draw(n, generator)")

    def held_out(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n items that are not trained on, each at most once where there are enough.

        Raises:
            DataError: If there are none.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define held_out(n, generator)")

    def shares(self) -> Tensor:
        """Share (classes,) of each label among training items: float64, on the CPU.

        Raises:
            DataError: If they have none.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define shares()")

    def loader(self, batch_size: int, seed: int) -> Loader:
        """Load endless batches of `batch_size` items, in an order that depends on the seed.

        Raises:
            DataError: If a batch has more items than finite data.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define loader(batch_size, seed)")


def training_items(data: Data, n: int, generator: torch.Generator) -> Batch:
    """Take n different training items, all where there are fewer; of endless data n fresh ones. In random order."""
    loader = data.loader(min(n, data.items or n), int(torch.randint(2**62, (), generator=generator)))
    try:
        return next(loader)
    finally:
        loader.close()


def fingerprint_of(*values: Tensor | bytes | object) -> str:
    """Hash tensors (wherever they are), bytes, and the text of anything else, to 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, Tensor):
            digest.update(f"{value.dtype}{tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().numpy().data)
        elif isinstance(value, bytes):
            digest.update(value)
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()[:16]
