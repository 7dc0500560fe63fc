"""Mixtures as data: points drawn without end, or a fixed set of them."""

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


class MixtureData(Data):
    """Endless draws of a mixture, also for held-out points; labels are the modes."""

    def __init__(self, mixture: Mixture) -> None:
        self.truth: Mixture = mixture
        self.classes, self.device = len(mixture.means), mixture.means.device
        self.shape = tuple(mixture.means.shape[1:])
        self.fingerprint = fingerprint_of(*_numbers(mixture))

    @override
    def to(self, device: Device) -> MixtureData:
        return MixtureData(self.truth.to(device))

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


class FixedMixture(TensorData):
    """A fixed set of a mixture's points, so many of each mode; held-out points are fresh ones.

    Args:
        mixture: The mixture that points are drawn from.
        counts: Number of points of each mode (K,).
        seed: Chooses the set, which is the same on every device.
    """

    truth: Mixture

    def __init__(self, mixture: Mixture, counts: Sequence[int], seed: int = 0) -> None:
        mode = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        hashed = int(fingerprint_of("points", seed), 16) >> 1  # or a caller's generator of that seed draws them again
        drawn = mixture.to("cpu").draw_of(mode, torch.Generator().manual_seed(hashed))
        name = fingerprint_of(*_numbers(mixture), list(counts), seed)
        super().__init__(drawn.x, drawn.labels, classes=len(counts), fingerprint=name)
        self.truth = mixture

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


def _numbers(mixture: Mixture) -> tuple[object, ...]:
    """Numbers that define a mixture."""
    return mixture.means, mixture.stds, mixture.weights, mixture.radius, mixture.noisy_dims
