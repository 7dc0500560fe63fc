"""Distributions of `unseen.py`: tubes along any curves, Gaussians of any covariance, both together, and outliers."""

from __future__ import annotations

import torch
from torch import Tensor

from allmodes import Batch, Truth, equal_coverage

ROWS = 256
"""Points whose distances from all pieces of a curve are computed together."""


class Tubes:
    """Items around curves in D dimensions: points of a fine polyline plus noise at right angles to it.

    Args:
        curves: Points (M_c, D) of each curve, in order.
        parts: Modes of each curve, equal lengths of it.
        std: Standard deviation of each of the D - 1 coordinates of the noise.
    """

    def __init__(self, curves: list[Tensor], parts: int, std: float) -> None:
        curves = [curve.double() for curve in curves]
        self.begin = torch.cat([curve[:-1] for curve in curves])  # (S, D)
        self.step = torch.cat([curve.diff(dim=0) for curve in curves])
        self.length = self.step.norm(dim=1)
        along = torch.cat([self._positions(curve) for curve in curves])  # from 0 to 1, at the middle of each piece
        which = torch.cat([torch.full((len(curve) - 1,), i) for i, curve in enumerate(curves)])
        self.mode = which * parts + (along * parts).long().clamp(max=parts - 1)
        self.std, self.dims, self.modes = std, self.begin.shape[1], len(curves) * parts
        self.weights = torch.zeros(self.modes, dtype=torch.double).index_add_(0, self.mode, self.length)
        self.radius = equal_coverage(self.dims - 1)

    def draw(self, mode: Tensor, generator: torch.Generator) -> Tensor:
        """Items (n, D) of modes (n,)."""
        chances = torch.where(self.mode == torch.arange(self.modes)[:, None], self.length, 0.0)  # (K, S)
        i = torch.multinomial(chances[mode], 1, generator=generator)[:, 0]
        share = torch.rand(len(i), 1, generator=generator, dtype=torch.double)
        noise = self.std * torch.randn(len(i), self.dims, generator=generator, dtype=torch.double)
        tangent = self.step[i] / self.length[i, None]
        return self.begin[i] + share * self.step[i] + noise - (noise * tangent).sum(1, keepdim=True) * tangent

    def reach(self, x: Tensor) -> Tensor:
        """Distance (n, K) of points (n, D) from each mode, over the radius of high quality."""
        return torch.cat([self._distances(part) for part in torch.split(x, ROWS)]) / (self.radius * self.std)

    def spread(self, x: Tensor, mode: Tensor) -> tuple[float, int]:
        """The sum of squared distances over the variance of points of modes, and how much is to be expected of it."""
        squares = (self.reach(x).gather(1, mode[:, None]) * self.radius).square()
        return float(squares.sum()), len(x) * (self.dims - 1)

    def _distances(self, x: Tensor) -> Tensor:
        apart = x[:, None] - self.begin  # (n, S, D)
        share = ((apart * self.step).sum(2) / self.length.square()).clamp(0, 1)
        distance = (apart - share[..., None] * self.step).norm(dim=2)
        empty = torch.full((len(x), self.modes), torch.inf, dtype=torch.double)
        return empty.scatter_reduce(1, self.mode.expand(len(x), -1), distance, "amin")

    @staticmethod
    def _positions(curve: Tensor) -> Tensor:
        length = curve.diff(dim=0).norm(dim=1)
        return (length.cumsum(0) - length / 2) / length.sum()


class Gaussians:
    """Gaussians of means (K, D) and covariances R R^T, of roots (K, D, D), with weights (K,)."""

    def __init__(self, means: Tensor, roots: Tensor, weights: Tensor) -> None:
        self.means, self.roots, self.weights = means.double(), roots.double(), weights.double()
        self.modes, self.dims = self.means.shape
        self.radius = equal_coverage(self.dims)

    def draw(self, mode: Tensor, generator: torch.Generator) -> Tensor:
        """Items (n, D) of modes (n,)."""
        noise = torch.randn(len(mode), self.dims, 1, generator=generator, dtype=torch.double)
        return self.means[mode] + (self.roots[mode] @ noise)[..., 0]

    def reach(self, x: Tensor) -> Tensor:
        """Mahalanobis distance (n, K) of points (n, D) from each mode, over the radius of high quality."""
        each = [self._whitened(x, torch.tensor(k)).norm(dim=1) for k in range(self.modes)]
        return torch.stack(each, 1) / self.radius

    def spread(self, x: Tensor, mode: Tensor) -> tuple[float, int]:
        """The sum of squares of whitened points about their mode's mean, and how much is to be expected of it."""
        total, freedom = 0.0, 0
        for k in mode.unique():
            points = self._whitened(x[mode == k], k)
            total += float((points - points.mean(0)).square().sum())
            freedom += (len(points) - 1) * self.dims
        return total, freedom

    def _whitened(self, x: Tensor, k: Tensor) -> Tensor:
        return torch.linalg.solve(self.roots[k], (x - self.means[k]).T).T


class Together(Truth):
    """Pieces side by side: the modes of the first, then of the next.

    A point belongs to the mode that it is nearest to in radii of high quality, and is of high quality within one.

    Args:
        pieces: Tubes and Gaussians in D dimensions.
        shares: The share of each piece.
        stretch: Factor of each coordinate (D,): what is measured is measured before it.
        outliers: Share of items that are far from all modes, and of no quality.
    """

    def __init__(
        self, pieces: list[Tubes | Gaussians], shares: list[float], stretch: Tensor, outliers: float = 0.0
    ) -> None:
        self.pieces, self.stretch, self.outliers = pieces, stretch.double(), outliers
        each = zip(pieces, shares, strict=True)
        weights = torch.cat([share * piece.weights / piece.weights.sum() for piece, share in each])
        self.weights = (weights / weights.sum()).float()
        self._first = [sum(piece.modes for piece in pieces[:i]) for i in range(len(pieces))]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.pieces[0].dims,)

    @property
    def radius(self) -> float:
        return self.pieces[0].radius

    def to(self, device: str | torch.device) -> Truth:
        return self

    def draw_of(self, mode: Tensor, generator: torch.Generator) -> Batch:
        x = torch.zeros(len(mode), *self.shape, dtype=torch.double)
        for mine, piece, first in self._mine(mode):
            x[mine] = piece.draw(mode[mine] - first, generator)
        far = torch.rand(len(x), generator=generator) < self.outliers
        directions = torch.nn.functional.normalize(torch.randn(x.shape, generator=generator, dtype=torch.double))
        size = x.std(0).norm() * (4 + 16 * torch.rand(len(x), 1, generator=generator, dtype=torch.double))
        x = torch.where(far[:, None], directions * size, x)
        return Batch((x * self.stretch).float(), mode)

    def find(self, x: Tensor) -> tuple[Tensor, Tensor]:
        best = torch.cat([piece.reach(x / self.stretch) for piece in self.pieces], 1).min(1)
        return best.indices, best.values <= 1

    def variance_ratio(self, samples: Tensor, mode: Tensor) -> float:
        x = samples.double() / self.stretch
        sums = [piece.spread(x[mine], mode[mine] - first) for mine, piece, first in self._mine(mode)]
        return sum(total for total, _ in sums) / max(sum(freedom for _, freedom in sums), 1)

    def box(self) -> tuple[Tensor, Tensor]:
        x = self.landmarks()
        return x.amin(0), x.amax(0)

    def landmarks(self) -> Tensor:
        mode = torch.arange(len(self.weights)).repeat(20)
        return self.draw_of(mode, torch.Generator().manual_seed(0)).x

    def identity(self) -> tuple[object, ...]:
        return ("together", self.landmarks(), self.weights, self.outliers)

    def _mine(self, mode: Tensor) -> list[tuple[Tensor, Tubes | Gaussians, int]]:
        found = zip(self.pieces, self._first, strict=True)
        return [((mode >= first) & (mode < first + piece.modes), piece, first) for piece, first in found]
