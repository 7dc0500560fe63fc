"""Mixtures of isotropic Gaussians: data whose modes are known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.batch import Batch
from allmodes.data.truth import Truth, equal_coverage
from allmodes_schemas import Shape


@dataclass(frozen=True, eq=False)
class Mixture(Truth):
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
        even = not self.weights.is_meta and bool((self.weights == self.weights[0]).all())
        object.__setattr__(self, "uniform", even)

    @property
    @override
    def shape(self) -> Shape:
        return tuple(self.means.shape[1:])

    @property
    def noisy(self) -> int:
        """Number of coordinates that vary within a mode."""
        return self.means.shape[1] if self.noisy_dims is None else self.noisy_dims

    @property
    @override
    def radius(self) -> float:
        """Distance from a mode's mean within which a point is of high quality, in stds."""
        return equal_coverage(max(1, self.noisy)) if self.threshold is None else self.threshold

    @property
    def stds(self) -> Tensor:
        """Standard deviation of each mode (K,)."""
        return torch.as_tensor(self.std, device=self.means.device).expand(len(self.means))

    @override
    def to(self, device: str | torch.device) -> Mixture:
        std = self.std.to(device) if isinstance(self.std, Tensor) else self.std
        return replace(self, means=self.means.to(device), std=std, weights=self.weights.to(device))

    @override
    def draw(self, n: int, generator: torch.Generator) -> Batch:
        return self.draw_of(self._modes(n, generator), generator)

    @override
    def draw_of(self, mode: Tensor, generator: torch.Generator) -> Batch:
        return Batch(self._around(self.means.index_select(0, mode), mode, generator), labels=mode)

    @override
    def find(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Find the most probable of the modes that hold x (n, D); if none does, the nearest in units of its width.

        So a perfect sampler's points are of high quality as often as they lie in any mode, however narrow modes lie in
        wide ones: nearest means would call the wide one's points, and nearest in widths the narrow one's, another's.
        """
        stds = self.stds.double()
        # Differences, not matrix products, whose rounding would move points across the radius of a narrow mode.
        widths = torch.cdist(x, self.means.double(), compute_mode="donot_use_mm_for_euclid_dist") / stds  # (n, K)
        likely = self.weights.double().log() - self.noisy * stds.log() - widths.square() / 2
        likely[widths > self.radius] = -math.inf
        best = likely.max(1)
        modes = best.indices.where(best.values > -math.inf, widths.argmin(1))
        return modes, widths.gather(1, modes[:, None])[:, 0] <= self.radius

    @override
    def variance_ratio(self, samples: Tensor, mode: Tensor) -> float:
        """Compute the trace of the covariance within modes, pooled over modes, over D std^2, for samples (n, D).

        Taken around each mode's own mean, so that a shifted mode does not look wide: 1 / ((n - modes) D) times the sum
        of ||x - mean of its mode||^2 / std_k^2. D counts the noisy coordinates only. Perfect samples of high quality
        score F_{D+2}(r^2) / F_D(r^2), F_k the distribution function of chi-squared with k degrees of freedom.
        """
        x, k = samples.flatten(1).double(), len(self.means)
        counts = mode.bincount(minlength=k)
        means = torch.zeros(k, x.shape[1], dtype=x.dtype).index_add_(0, mode, x) / counts[:, None]
        squares = (x - means[mode]).square().sum(1) / self.stds[mode].double().square()  # (n,)
        freedom = len(x) - int((counts > 0).sum())
        return float(squares.sum()) / (freedom * self.noisy) if freedom > 0 else math.nan

    @override
    def box(self) -> tuple[Tensor, Tensor]:
        """The box that the means span, widened by the radius."""
        reach = self.radius * self.stds[:, None]
        return (self.means - reach).amin(0), (self.means + reach).amax(0)

    @override
    def landmarks(self) -> Tensor:
        return self.means

    @override
    def identity(self) -> tuple[object, ...]:
        return self.means, self.stds, self.weights, self.radius, self.noisy_dims

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
