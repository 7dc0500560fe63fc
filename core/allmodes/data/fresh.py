"""Mixtures: drawn afresh without end, or a fixed set of their points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from allmodes.data.base import Data, Device, Loader, fingerprint_of
from allmodes.data.batch import Batch
from allmodes.data.finite import TensorData
from allmodes.data.mixture import Mixture


class MixtureData(Data):
    """Fresh draws of a mixture; labels are the modes that the points come from."""

    def __init__(self, mixture: Mixture) -> None:
        self.truth: Mixture = mixture
        self.classes, self.device = len(mixture.means), mixture.means.device
        self.shape = tuple(mixture.means.shape[1:])
        self.fingerprint = fingerprint_of(*_numbers(mixture))

    def to(self, device: Device) -> MixtureData:
        """The same mixture on a device."""
        return MixtureData(self.truth.to(device))

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n points."""
        return self.truth.draw(n, generator)

    def held_out(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n points; fresh ones were never trained on."""
        return self.truth.draw(n, generator)

    def shares(self) -> Tensor:
        """The modes' weights."""
        return self.truth.weights.double().cpu()

    def loader(self, batch_size: int, seed: int) -> Loader:
        """Batches of fresh points."""
        return FreshLoader(self, batch_size, seed)


class FixedMixture(TensorData):
    """A fixed set of a mixture's points, so many of each mode; held-out points are fresh ones.

    Args:
        mixture: What the points are drawn from.
        counts: How many points there are of each mode (K,).
        seed: Which of the possible sets; it is the same on every device.
    """

    truth: Mixture

    def __init__(self, mixture: Mixture, counts: Sequence[int], seed: int = 0) -> None:
        mode = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        hashed = int(fingerprint_of("points", seed), 16) >> 1  # or a caller's generator of that seed draws them again
        drawn = mixture.to("cpu").draw_of(mode, torch.Generator().manual_seed(hashed))
        name = fingerprint_of(*_numbers(mixture), list(counts), seed)
        super().__init__(drawn.x, drawn.labels, classes=len(counts), fingerprint=name)
        self.truth = mixture

    def to(self, device: Device) -> FixedMixture:
        """The same points and mixture on a device."""
        moved = super().to(device)
        assert isinstance(moved, FixedMixture)
        moved.truth = self.truth.to(device)
        return moved

    def held_out(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n points of the mixture, as independent of those that are trained on as any others."""
        return self.truth.draw(n, generator)


class FreshLoader(Loader):
    """Batches of fresh draws of data from a generator of its own, whose state is the loader's."""

    def __init__(self, data: Data, batch_size: int, seed: int) -> None:
        self.data, self.batch_size = data, batch_size
        self.generator = torch.Generator(data.device).manual_seed(seed)

    def __next__(self) -> Batch:
        """The next fresh batch."""
        return self.data.draw(self.batch_size, self.generator)

    def state_dict(self) -> dict[str, Any]:
        """The generator's state (a tensor of bytes on the CPU)."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue with a generator's state."""
        self.generator.set_state(state["generator"].cpu())  # a checkpoint may have been loaded to a GPU


def _numbers(mixture: Mixture) -> tuple[object, ...]:
    """What tells a mixture from others."""
    return mixture.means, mixture.stds, mixture.weights, mixture.radius, mixture.noisy_dims
