"""Distributions whose modes are known as data: items drawn without end, or a fixed set of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.base import Data, DataError, Device, Loader, fingerprint_of
from allmodes.data.batch import Batch
from allmodes.data.blocks import batches_of_block, split
from allmodes.data.finite import TensorData
from allmodes.data.mixture import Mixture
from allmodes.data.truth import Truth


class FreshData(Data):
    """Endless draws of a distribution whose modes are known, also for held-out items; labels are the modes."""

    truth: Truth

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.classes, self.device = len(truth.weights), truth.weights.device
        self.shape = truth.shape
        self.fingerprint = fingerprint_of(*truth.identity())

    @override
    def to(self, device: Device) -> Self:
        return type(self)(self.truth.to(device))

    @override
    def draw(self, n: int, generator: torch.Generator) -> Batch:
        return self.truth.draw(n, generator)

    @override
    def held_out(self, n: int, generator: torch.Generator) -> Batch:
        return self.truth.draw(n, generator)

    @override
    def shares(self) -> Tensor:
        return self.truth.weights.double().cpu()

    @override
    def loader(self, batch_size: int, seed: int) -> Loader:
        return FreshLoader(self, batch_size, seed)


class MixtureData(FreshData):
    """Endless draws of a mixture."""

    truth: Mixture

    def __init__(self, mixture: Mixture) -> None:
        super().__init__(mixture)


class FixedData(TensorData):
    """A fixed set of items of a distribution whose modes are known, so many of each; held-out items are fresh ones.

    Args:
        truth: The distribution that items are drawn from.
        counts: Number of items of each mode (K,).
        seed: Chooses the set, which is the same on every device.
    """

    truth: Truth

    def __init__(self, truth: Truth, counts: Sequence[int], seed: int = 0) -> None:
        mode = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        hashed = int(fingerprint_of("points", seed), 16) >> 1  # or a caller's generator of that seed draws them again
        drawn = truth.to("cpu").draw_of(mode, torch.Generator().manual_seed(hashed))
        name = fingerprint_of(*truth.identity(), list(counts), seed)
        super().__init__(drawn.x, drawn.labels, classes=len(counts), fingerprint=name)
        self.truth = truth

    @override
    def to(self, device: Device) -> Self:
        moved = super().to(device)
        moved.truth = self.truth.to(device)
        return moved

    @override
    def held_out(self, n: int, generator: torch.Generator) -> Batch:
        return self.truth.draw(n, generator)


FIRST = {"batches": 1, "most": 1, "served": 0}
"""What states of the first version lack, which drew each batch by itself: its runs go on like that."""


class FreshLoader(Loader):
    """Batches of fresh draws from a generator of its own.

    They are drawn in blocks, each by one call of `data.draw`: the first is one batch, and each has twice as many as the
    one before, up to 64 or 256 KiB. So the batches depend on data, batch size and seed alone. The state is that of
    the generator in front of the block, the block's batches, and how many of them were served.
    """

    def __init__(self, data: Data, batch_size: int, seed: int) -> None:
        self.data, self.batch_size = data, batch_size
        self.generator = torch.Generator(data.device).manual_seed(seed)
        self._most = batches_of_block(data.shape, batch_size)
        self._before, self._batches, self._served = self.generator.get_state(), 1, 0
        self._block: Iterator[Batch] | None = None

    @override
    def __next__(self) -> Batch:
        if self._block is None:
            self._block = iter(self._draw())
        elif self._served == self._batches:
            self._before = self.generator.get_state()
            self._batches, self._served = min(2 * self._batches, self._most), 0
            self._block = iter(self._draw())
        self._served += 1
        return next(self._block)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"generator": self._before, "batches": self._batches, "most": self._most, "served": self._served}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        state = {**FIRST, **state}
        self._before = state["generator"].cpu()  # a checkpoint may have been loaded to a GPU
        self._batches, self._most, self._served = state["batches"], state["most"], state["served"]
        self.generator.set_state(self._before)
        self._block = iter(self._draw()[self._served :]) if self._served else None

    def _draw(self) -> list[Batch]:
        n = self._batches * self.batch_size
        block = self.data.draw(n, self.generator)
        if len(block.x) != n:
            what = f"draw({n}, generator) of {type(self.data).__name__} gives {len(block.x)} items"
            raise DataError(f"data: {what}: return as many as are asked for")
        return split(block, self.batch_size)
