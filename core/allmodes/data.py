"""Data to learn from: finite tensors or mixtures drawn without end, and loaders that resume exactly."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from allmodes.mixtures import Mixture
from allmodes.step import Batch
from allmodes.units import Units
from allmodes_schemas import Shape

__all__ = ["Data", "DataError", "Loader", "Mixture", "MixtureData", "TensorData", "digits", "torchvision_images"]

Device: TypeAlias = str | torch.device


class DataError(ValueError):
    """Data that are missing, do not fit together or cannot be drawn as asked; the message says what to do."""


class Loader(Iterator[Batch]):
    """An endless iterator of batches; its state is what a checkpoint needs to continue exactly."""

    def __next__(self) -> Batch:
        """The next batch, made without waiting for the device."""
        raise NotImplementedError(f"{type(self).__name__} does not define __next__()")

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is: plain numbers and tensors."""
        raise NotImplementedError(f"{type(self).__name__} does not define state_dict()")

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where another loader of the same data, batch size, seed and kind of device was."""
        raise NotImplementedError(f"{type(self).__name__} does not define load_state_dict(state)")


class Data:
    """What is learned.

    Attributes:
        shape: Shape of one item.
        classes: Number of labels, or None where there are none.
        fingerprint: 16 hexadecimal digits that tell these data from others, whatever device they are on.
        items: Number of training items, or None where they are drawn without end.
        truth: The mixture that the data are drawn from, where it is known.
        device: Where the tensors are; generators that are passed in must be there too.
        units: What samples are converted back to, where training sees standardised vectors.
    """

    shape: Shape
    classes: int | None = None
    fingerprint: str
    items: int | None = None
    truth: Mixture | None = None
    device: torch.device
    units: Units | None = None

    def to(self, device: Device) -> Data:
        """The same data on a device."""
        raise NotImplementedError(f"{type(self).__name__} does not define to(device)")

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n independent training items (finite data: with replacement)."""
        raise NotImplementedError(f"{type(self).__name__} does not define draw(n, generator)")

    def held_out(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n items that are not trained on, each at most once where there are enough."""
        raise NotImplementedError(f"{type(self).__name__} does not define held_out(n, generator)")

    def loader(self, batch_size: int, seed: int) -> Loader:
        """Batches of `batch_size` items without end, in an order that the seed decides."""
        raise NotImplementedError(f"{type(self).__name__} does not define loader(batch_size, seed)")


class TensorData(Data):
    """Finite data on a device.

    Args:
        x: Training items (N, *shape); bytes are kept as they are and drawn as floats in [-1, 1], all else is float32.
        labels: Their labels (N,) in [0, classes).
        test_x: Items that are not trained on (M, *shape).
        test_labels: Their labels (M,).
        classes: Number of labels; by default one more than the largest.

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
    ) -> None:
        _check_fit("the training data", x, labels)
        if test_x is not None:
            _check_fit("the test data", test_x, test_labels, tuple(x.shape[1:]))
        self.x, self.labels = _stored(x), None if labels is None else labels.long()
        self.test_x = None if test_x is None else _stored(test_x)
        self.test_labels = None if test_labels is None else test_labels.long()
        self.shape, self.items, self.device = tuple(x.shape[1:]), len(x), x.device
        self.classes = int(labels.max()) + 1 if classes is None and labels is not None else classes
        self.fingerprint = _fingerprint(self.x, self.labels, self.test_x, self.test_labels, self.classes)

    def to(self, device: Device) -> TensorData:
        """The same data on a device."""
        moved = copy.copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(moved, name, value.to(device))
        moved.device = moved.x.device
        return moved

    def take(self, index: Tensor) -> Batch:
        """Training items by position (n,)."""
        labels = None if self.labels is None else self.labels.index_select(0, index)
        return Batch(_as_floats(self.x.index_select(0, index)), labels, index)

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n training items independently, with replacement."""
        return self.take(torch.randint(len(self.x), (n,), generator=generator, device=self.device))

    def held_out(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n test items: different ones where there are as many, else with replacement.

        Raises:
            DataError: If there are no test items.
        """
        if self.test_x is None:
            raise DataError("data: there are no items that are not trained on: give TensorData a test_x")
        index = _choose(n, len(self.test_x), generator)
        labels = None if self.test_labels is None else self.test_labels[index]
        return Batch(_as_floats(self.test_x[index]), labels)

    def loader(self, batch_size: int, seed: int) -> Loader:
        """Batches that pass over the items in a new random order each epoch.

        Raises:
            DataError: If a batch has more items than the data.
        """
        return EpochLoader(self, batch_size, seed)


class MixtureData(Data):
    """Fresh draws of a mixture; labels are the modes that the points come from."""

    def __init__(self, mixture: Mixture) -> None:
        self.truth: Mixture = mixture
        self.classes, self.device = len(mixture.means), mixture.means.device
        self.shape = tuple(mixture.means.shape[1:])
        numbers = (mixture.means, mixture.stds, mixture.weights, mixture.threshold, mixture.noisy_dims)
        self.fingerprint = _fingerprint(*numbers)

    def to(self, device: Device) -> MixtureData:
        """The same mixture on a device."""
        return MixtureData(self.truth.to(device))

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n points."""
        return self.truth.draw(n, generator)

    def held_out(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n points; fresh ones were never trained on."""
        return self.truth.draw(n, generator)

    def loader(self, batch_size: int, seed: int) -> Loader:
        """Batches of fresh points."""
        return FreshLoader(self.truth, batch_size, seed)


class EpochLoader(Loader):
    """Passes over finite data: each epoch has an order of its own, and a tail smaller than a batch is dropped.

    The order depends on seed and epoch alone, so that the number of batches served is the whole state.
    """

    def __init__(self, data: TensorData, batch_size: int, seed: int) -> None:
        if batch_size > len(data.x):
            raise DataError(
                f"training: batch_size is {batch_size} but the data have {len(data.x)} items: "
                f"set batch_size to {len(data.x)} or less"
            )
        self.data, self.batch_size, self.seed, self.served = data, batch_size, seed, 0
        self._epoch, self._order = -1, torch.empty(0)

    def __next__(self) -> Batch:
        """The next batch of the epoch, or the first of the next one."""
        epoch, i = divmod(self.served, len(self.data.x) // self.batch_size)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._order_of(epoch)
        self.served += 1
        return self.data.take(self._order[i * self.batch_size : (i + 1) * self.batch_size])

    def state_dict(self) -> dict[str, Any]:
        """The number of batches served."""
        return {"served": self.served}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue after that many batches."""
        self.served = int(state["served"])

    def _order_of(self, epoch: int) -> Tensor:
        generator = torch.Generator(self.data.device).manual_seed(_mixed(self.seed, epoch))
        return torch.randperm(len(self.data.x), generator=generator, device=self.data.device)


class FreshLoader(Loader):
    """Batches of fresh points from a generator of its own, whose state is the loader's."""

    def __init__(self, mixture: Mixture, batch_size: int, seed: int) -> None:
        self.mixture, self.batch_size = mixture, batch_size
        self.generator = torch.Generator(mixture.means.device).manual_seed(seed)

    def __next__(self) -> Batch:
        """The next fresh batch."""
        return self.mixture.draw(self.batch_size, self.generator)

    def state_dict(self) -> dict[str, Any]:
        """The generator's state (a tensor of bytes on the CPU)."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with a generator's state."""
        self.generator.set_state(state["generator"].cpu())  # a checkpoint may have been loaded to a GPU


# Where images come from


def digits() -> TensorData:
    """scikit-learn's 8x8 digits in [-1, 1]: 1,437 to train on and 360 held out, stratified by class."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)  # (1797, 64) in 0..16
    halves = train_test_split(
        pixels.reshape(-1, 1, 8, 8) / 8 - 1, labels, test_size=360, stratify=labels, random_state=0
    )
    x, test_x, y, test_y = (torch.from_numpy(half) for half in halves)
    return TensorData(x, y, test_x, test_y, classes=10)


_PLACES = {
    "CIFAR10": "cifar-10-batches-py",
    "CIFAR100": "cifar-100-python",
    "SVHN": "train_32x32.mat",
}


def torchvision_images(
    name: str, root: str = "data", *, download: bool = False, size: int | None = None, kept: Sequence[int] | None = None
) -> TensorData:
    """One of torchvision's image sets, as bytes.

    Args:
        name: Name of the torchvision class, such as `MNIST`.
        root: Folder that holds the set's own folder.
        download: Whether to fetch what is missing.
        size: Height and width in pixels to resize to (bilinear, antialiased).
        kept: Labels to keep; they are renumbered from 0 in this order.

    Raises:
        DataError: If the files are missing, unreadable or cannot be downloaded.
    """
    parts = (_split(name, root, train, download) for train in (True, False))
    (x, y), (test_x, test_y) = (_keep(_resized(images, size), labels, kept) for images, labels in parts)
    return TensorData(x, y, test_x, test_y, classes=None if kept is None else len(kept))


def _split(name: str, root: str, train: bool, download: bool) -> tuple[Tensor, Tensor]:
    from torchvision import datasets

    which = {"split": "train" if train else "test"} if name == "SVHN" else {"train": train}
    try:
        found = getattr(datasets, name)(root=root, download=download, **which)
    except (OSError, RuntimeError) as error:
        raise DataError(_complaint(name, root, download, error)) from error
    labels = torch.as_tensor(found.labels if name == "SVHN" else found.targets)
    return _channels_first(torch.as_tensor(found.data)), labels


def _complaint(name: str, root: str, download: bool, error: Exception) -> str:
    place = Path(root) / _PLACES.get(name, f"{name}/raw")
    if download:
        return f"data: {name} could not be downloaded to {root!r}: {error}"
    if place.exists():
        return f"data: {name} under {str(place)!r} is incomplete or damaged ({error}): replace it, or download: true"
    remedy = "set root to the folder that holds it, or download: true"
    return f"data: {name} is not under {root!r} (looked for {place}): {remedy}"


def _channels_first(images: Tensor) -> Tensor:
    """To (N, C, H, W), from grey (N, H, W) or from (N, H, W, 3)."""
    if images.dim() == 3:
        return images[:, None]
    return images.permute(0, 3, 1, 2).contiguous() if images.shape[-1] == 3 else images


def _resized(images: Tensor, size: int | None) -> Tensor:
    if size is None or images.shape[-2:] == (size, size):
        return images
    from torchvision.transforms.v2.functional import resize

    return torch.cat([resize(part, [size, size], antialias=True) for part in torch.split(images, 1000)])


def _keep(images: Tensor, labels: Tensor, kept: Sequence[int] | None) -> tuple[Tensor, Tensor]:
    if kept is None:
        return images, labels
    matches = labels[:, None] == torch.tensor(kept)  # (N, len(kept))
    chosen = matches.any(1)
    return images[chosen], matches[chosen].long().argmax(1)


# Small things


def _stored(x: Tensor) -> Tensor:
    return x.contiguous() if x.dtype == torch.uint8 else x.float().contiguous()


def _as_floats(x: Tensor) -> Tensor:
    return x.float().div_(127.5).sub_(1) if x.dtype == torch.uint8 else x


def _check_fit(which: str, x: Tensor, labels: Tensor | None, shape: Shape | None = None) -> None:
    if len(x) == 0:
        raise DataError(f"data: {which} have no items")
    if shape is not None and tuple(x.shape[1:]) != shape:
        raise DataError(f"data: {which} have items of shape {tuple(x.shape[1:])} but the training data of {shape}")
    if labels is not None and len(labels) != len(x):
        raise DataError(f"data: {which} have {len(x)} items but {len(labels)} labels")


def _choose(n: int, items: int, generator: torch.Generator) -> Tensor:
    """Draw n positions, different ones where there are as many."""
    if n <= items:
        return torch.randperm(items, generator=generator, device=generator.device)[:n]
    return torch.randint(items, (n,), generator=generator, device=generator.device)


def _mixed(seed: int, epoch: int) -> int:
    """A 63-bit seed for each pair; hashed, so that epochs of one seed are not those of the next."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{epoch}".encode()).digest()[:8], "big") >> 1


def _fingerprint(*parts: Tensor | float | None) -> str:
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Tensor):
            digest.update(f"{part.dtype}{tuple(part.shape)}".encode())
            digest.update(part.detach().cpu().contiguous().numpy().data)
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()[:16]
