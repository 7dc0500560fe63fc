"""Squared Euclidean distances at the speed of a matrix product, and exact where a comparison depends on them.

||x||^2 + ||y||^2 - 2 x.y loses the digits of pairs that are close compared with their norms: equal items come out
apart, ties are decided by rounding, and of features at 1e6 +- 1e-2 no digit is right. Differences are exact and ten
times slower. So a product of centred float64 rows, whose error has a bound, decides all pairs but those within its
error; these few are computed again from the differences of the items.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

ROWS = 1024
"""Rows of a chunk: memory is a few times this times M numbers of 8 bytes."""
NUMBERS = 1 << 22
"""Differences that are computed at once."""
POINTS = 1 << 13
"""Points among which the nearest is looked for at once."""


def nearest_distances(x: Tensor, points: Tensor, k: int = 1) -> Tensor:
    """Compute the distances (N, k), float64, of each x (N, F) from the k nearest of points (M, F), nearest first."""
    clouds = (Cloud(block) for block in torch.split(points, POINTS))
    squares = [torch.cat([part.smallest(min(k, len(cloud.points))) for part in cloud.squares(x)]) for cloud in clouds]
    return torch.cat(squares, 1).topk(k, largest=False).values.sqrt()


class Cloud:
    """Points (M, F) to which distances are computed."""

    def __init__(self, points: Tensor) -> None:
        self.points = points.flatten(1)
        self.centre = self.points.mean(0, dtype=torch.float64)
        self.norms = torch.cat([block.square().sum(1) for block in self._centre(self.points)])
        self.rounding = (self.points.shape[1] + 8) * torch.finfo(torch.float64).eps

    def squares(self, x: Tensor) -> Iterator[Squares]:
        """Yield the squared distances of x (N, F) from all points, `ROWS` rows at a time."""
        for part in torch.split(x.flatten(1), ROWS):
            yield self._block(part)

    def _block(self, x: Tensor) -> Squares:
        # The error of the product is at most (F + 5) eps (|a|^2 + |b|^2): F products a sum, and centring.
        (a,) = self._centre(x)
        norms = a.square().sum(1)[:, None] + self.norms  # (n, M)
        products = torch.cat([a @ block.T for block in self._centre(self.points)], 1)
        return Squares(x, self.points, norms - 2 * products, self.rounding * norms)

    def _centre(self, points: Tensor) -> Iterator[Tensor]:
        return (block.double() - self.centre for block in torch.split(points, ROWS))


@dataclass(frozen=True, eq=False)
class Squares:
    """Squared distances of rows x (n, F) and y (M, F): `about` (n, M), with an error of at most `slack` (n, M)."""

    x: Tensor
    y: Tensor
    about: Tensor
    slack: Tensor

    def within(self, squares: Tensor) -> Tensor:
        """Return whether each pair lies within the squared radius (M,) of its y, ties included: (n, M)."""
        inside = self.about <= squares
        unclear = (self.about - squares).abs() <= self.slack
        inside[unclear] = self._exact(unclear) <= squares.expand_as(inside)[unclear]
        return inside

    def kth(self, k: int) -> Tensor:
        """Return the squared distance (n,) of each row from the k-th nearest y, counted from 1."""
        return self.smallest(k)[:, -1]

    def smallest(self, k: int) -> Tensor:
        """Return the k smallest squared distances (n, k) of each row, in their order."""
        return self._nearest_of(k).topk(k, largest=False).values

    def nearest(self) -> Tensor:
        """Return the position (n,) of the nearest y; of equally near ones the first."""
        return self._nearest_of(1).argmin(1)

    def _nearest_of(self, k: int) -> Tensor:
        """Return exact squares (n, M) of the pairs that may be among a row's k nearest, infinity for the others."""
        bound = (self.about + self.slack).topk(k, largest=False).values[:, -1:]
        marks = self.about - self.slack <= bound
        squares = torch.full_like(self.about, math.inf)
        squares[marks] = self._exact(marks)
        return squares

    def _exact(self, marks: Tensor) -> Tensor:
        """Compute the squared distances of the marked pairs (n, M), in their order, from differences."""
        pairs = torch.split(marks.nonzero(), max(1, NUMBERS // self.x.shape[1]))
        parts = [(self.x[i].double() - self.y[j].double()).square().sum(1) for i, j in (part.T for part in pairs)]
        return torch.cat(parts)
