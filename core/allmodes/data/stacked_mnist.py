"""Stacked MNIST: three digits as the channels of one image, a distribution with 1000 known modes."""

from __future__ import annotations

import copy
import hashlib

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from allmodes.data import Data, FreshLoader, Loader, TensorData, torchvision_images
from allmodes.data.batch import Batch

CHANNELS = 3


class StackedDigits(Data):
    """Triples of grey digit images as channels; the label of a triple is its number, 0 to 999.

    Training triples are drawn without end, or are a fixed number of them. Held-out ones consist of MNIST's test images,
    drawn such that their digits have the shares that they have in training: so a sampler of the very distribution that
    is learned, on unseen images, is what floors measure. Where triples are made of both splits, no image is unseen.

    Args:
        mnist: Digits (N, 1, S, S) with labels 0 to 9, and test digits.
        triples: Number of fixed training triples; None for fresh ones at every draw.
        seed: Chooses the fixed triples.
        pooled: Whether triples are made of the test digits too.

    Attributes:
        mnist: The digits, for a classifier of them.
    """

    def __init__(self, mnist: TensorData, triples: int | None = None, seed: int = 0, pooled: bool = False) -> None:
        self.mnist, self.items, self.device = mnist, triples, mnist.device
        tested = TensorData(*_test_digits(mnist), classes=10)
        self.digits = _join(mnist, tested) if pooled else mnist
        self.tested = self.digits if pooled else tested
        self.shape, self.classes = (CHANNELS, *mnist.shape[1:]), 1000
        self.fixed = None if triples is None else self._triples(triples, torch.Generator().manual_seed(seed))
        identity = f"{mnist.fingerprint}/{triples}/{seed if triples else ''}/{pooled}"
        self.fingerprint = hashlib.sha256(identity.encode()).hexdigest()[:16]

    @override
    def to(self, device: str | torch.device) -> StackedDigits:
        moved = copy.copy(self)
        moved.mnist, moved.digits, moved.tested = (
            digits.to(device) for digits in (self.mnist, self.digits, self.tested)
        )
        moved.fixed = None if self.fixed is None else self.fixed.to(device)
        moved.device = moved.mnist.device
        return moved

    @override
    def draw(self, n: int, generator: torch.Generator) -> Batch:
        if self.fixed is None:
            return _stack(self.digits, self._triples(n, generator))
        index = torch.randint(len(self.fixed), (n,), generator=generator, device=self.device)
        batch = _stack(self.digits, self.fixed[index])
        return Batch(batch.x, batch.labels, index)

    @override
    def held_out(self, n: int, generator: torch.Generator) -> Batch:
        labels = _labels(self.tested)
        weight = (self.digits.shares().to(labels.device) / labels.bincount(minlength=10))[labels]
        return _stack(self.tested, weight.multinomial(n * CHANNELS, True, generator=generator).view(n, CHANNELS))

    @override
    def shares(self) -> Tensor:
        shares = self.digits.shares()
        return torch.cartesian_prod(shares, shares, shares).prod(1)

    @override
    def loader(self, batch_size: int, seed: int) -> Loader:
        return FreshLoader(self, batch_size, seed)

    def _triples(self, n: int, generator: torch.Generator) -> Tensor:
        """Positions (n, 3) of digits."""
        return torch.randint(len(self.digits.x), (n, CHANNELS), generator=generator, device=generator.device)


def stacked_mnist(
    root: str = "data",
    *,
    download: bool = False,
    size: int = 28,
    triples: int | None = None,
    seed: int = 0,
    pooled: bool = False,
) -> StackedDigits:
    """Load Stacked MNIST from torchvision's files, on the CPU; larger sizes than 28 px are padded with black.

    Raises:
        DataError: If MNIST is missing, unreadable or cannot be downloaded.
    """
    found = torchvision_images("MNIST", root, download=download)
    pad = (size - found.shape[-1]) // 2
    x, test_x = (F.pad(images, (pad, pad, pad, pad)) for images in (found.x, _test_digits(found)[0]))
    mnist = TensorData(x, found.labels, test_x, found.test_labels, classes=10)
    return StackedDigits(mnist, triples, seed, pooled)


def mode_of(digits: Tensor) -> Tensor:
    """Number (n,), 0 to 999, of digits (n, 3): the first channel counts hundreds."""
    places = torch.tensor([100, 10, 1], device=digits.device)
    return (digits * places).sum(-1)  # CUDA has no matrix products of integers


def _stack(digits: TensorData, index: Tensor) -> Batch:
    batch = digits.take(index.flatten())
    return Batch(batch.x.view(len(index), CHANNELS, *digits.shape[1:]), mode_of(_labels(digits)[index]))


def _join(mnist: TensorData, tested: TensorData) -> TensorData:
    return TensorData(torch.cat([mnist.x, tested.x]), torch.cat([_labels(mnist), _labels(tested)]), classes=10)


def _test_digits(mnist: TensorData) -> tuple[Tensor, Tensor]:
    if mnist.test_x is None or mnist.test_labels is None:
        raise ValueError("stacked digits need test digits with labels")
    return mnist.test_x, mnist.test_labels


def _labels(digits: TensorData) -> Tensor:
    if digits.labels is None:
        raise ValueError("stacked digits need digits with labels")
    return digits.labels
