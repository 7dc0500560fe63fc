"""Mixtures of isotropic Gaussians: data whose modes are known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from allmodes.data.batch import Batch

BEYOND = math.exp(-4.5)
"""Share of a Gaussian's points in the plane that lie beyond 3 stds: 1.11 %."""


def equal_coverage(dims: int) -> float:
    """The radius, in stds, that holds the same share of a Gaussian in `dims` dimensions as 3 stds in the plane.

    It is the quantile of chi with `dims` degrees of freedom at 1 - exp(-4.5) = 0.98889: 2.54 on a line, 3 in the plane,
    4.79 in 10 dimensions.
    """
    from scipy.special import gammainccinv

    return round(math.sqrt(2 * float(gammainccinv(dims / 2, BEYOND))), 12)  # exactly 3 in the plane


@dataclass(frozen=True, eq=False)
class Mixture:
    """K isotropic Gaussians in D dimensions.

    Attributes:
        means: Centres of the modes (K, D), in the data's units.
        std: Standard deviation of every noisy coordinate, one number or one for each mode (K,), in the data's units.
        weights: Probability of each mode (K,); normalised here, so any non-negative numbers may be given.
        threshold: A point is of high quality within this many stds of a mode's mean (Euclidean distance); None means
            `equal_coverage` in the coordinates that vary.
        noisy_dims: Noise is added to that many leading coordinates; None means to all D.
        uniform: Whether all modes are equally likely.
    """

    means: Tensor
    std: float | Tensor
    weights: Tensor
    threshold: float | None = None
    noisy_dims: int | None = None
    uniform: bool = field(init=False)

    def __post_init__(self) -> None:
        # Computed once, so that a draw neither asks the device nor pays for a multinomial that it does not need.
        object.__setattr__(self, "weights", self.weights / self.weights.sum())
        object.__setattr__(self, "uniform", bool((self.weights == self.weights[0]).all()))

    @property
    def noisy(self) -> int:
        """Number of coordinates that vary within a mode."""
        return self.means.shape[1] if self.noisy_dims is None else self.noisy_dims

    @property
    def radius(self) -> float:
        """Distance from a mode's mean within which a point is of high quality, in stds."""
        return equal_coverage(max(1, self.noisy)) if self.threshold is None else self.threshold

    @property
    def present(self) -> Tensor:
        """A mask (K,) of the modes that the data have: those of positive weight."""
        return self.weights > 0

    @property
    def stds(self) -> Tensor:
        """Standard deviation of each mode (K,)."""
        return torch.as_tensor(self.std, device=self.means.device).expand(len(self.means))

    def to(self, device: str | torch.device) -> Mixture:
        """The same mixture on a device."""
        std = self.std.to(device) if isinstance(self.std, Tensor) else self.std
        return replace(self, means=self.means.to(device), std=std, weights=self.weights.to(device))

    def draw(self, n: int, generator: torch.Generator) -> Batch:
        """Draw n independent points: x (n, D) and, as labels, the modes that they come from (n,)."""
        return self.draw_of(self._modes(n, generator), generator)

    def draw_of(self, mode: Tensor, generator: torch.Generator) -> Batch:
        """Draw a point of each of the given modes (n,), independently: x (n, D) and, as labels, those modes."""
        return Batch(self._around(self.means.index_select(0, mode), mode, generator), labels=mode)

    def _modes(self, n: int, generator: torch.Generator) -> Tensor:
        if self.uniform:
            return torch.randint(len(self.means), (n,), generator=generator, device=self.means.device)
        return torch.multinomial(self.weights, n, replacement=True, generator=generator)

    def _around(self, centre: Tensor, mode: Tensor, generator: torch.Generator) -> Tensor:
        if self.noisy_dims is None and not isinstance(self.std, Tensor):
            return torch.normal(centre, self.std, generator=generator)
        noise = torch.randn(len(mode), self.noisy, generator=generator, device=centre.device)
        noise *= self.std.index_select(0, mode)[:, None] if isinstance(self.std, Tensor) else self.std
        (centre if self.noisy_dims is None else centre[:, : self.noisy]).add_(noise)  # in place: selecting copied it
        return centre
