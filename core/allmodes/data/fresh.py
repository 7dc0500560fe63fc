"""Mixtures as data: points drawn without end, or a fixed set of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.base import Data, Device, Loader, fingerprint_of
from allmodes.data.batch import Batch
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
    def to(self, device: Device) -> FixedMixture:
        moved = super().to(device)
        assert isinstance(moved, FixedMixture)
        moved.truth = self.truth.to(device)
        return moved

    @override
    def held_out(self, n: int, generator: torch.Generator) -> Batch:
        return self.truth.draw(n, generator)


class FreshLoader(Loader):
    """Batches of fresh draws from a generator of its own, whose state is the loader's."""

    def __init__(self, data: Data, batch_size: int, seed: int) -> None:
        self.data, self.batch_size = data, batch_size
        self.generator = torch.Generator(data.device).manual_seed(seed)

    @override
    def __next__(self) -> Batch:
        return self.data.draw(self.batch_size, self.generator)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.get_state()}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.generator.set_state(state["generator"].cpu())  # a checkpoint may have been loaded to a GPU


def _numbers(mixture: Mixture) -> tuple[object, ...]:
    """Numbers that define a mixture."""
    return mixture.means, mixture.stds, mixture.weights, mixture.radius, mixture.noisy_dims
