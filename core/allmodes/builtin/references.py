"""The core's reference samplers: a copy of the training set, a smoothed bootstrap, a Gaussian mixture by EM."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.builtin.coordinates import Coordinates
from allmodes.builtin.em import fit_mixture
from allmodes.data import Data, training_items
from allmodes.metrics import ReferenceSampler

NUMBERS = 2**26
"""Numbers that the items hold together at most: of large images there are fewer."""


class Copy(ReferenceSampler):
    """Items of the training set at random, with replacement. Of endless data, `items` draws are that set."""

    def __init__(self, items: int = 8192) -> None:
        self.items = items

    @override
    def fit(self, data: Data, generator: torch.Generator) -> None:
        self.data, self.pool = data, None if data.items else data.draw(self.items, generator).x

    @override
    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        if self.pool is None:
            return self.data.draw(n, generator).x
        return self.pool[torch.randint(len(self.pool), (n,), generator=generator)]


class Bootstrap(ReferenceSampler):
    """A training item plus Gaussian noise of its local width, in the items' `Coordinates`.

    Images are brought back to the range of the training items.
    """

    def __init__(self, items: int = 8192, k: int = 10, scale: float = 1.0) -> None:
        self.items, self.k, self.scale = items, k, scale

    @override
    def fit(self, data: Data, generator: torch.Generator) -> None:
        self.x = choose(data, self.items, generator)
        self.coordinates = Coordinates.of(self.x, generator)
        self.widths = local_widths(self.coordinates.find(self.x), self.k)

    @override
    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        i = torch.randint(len(self.x), (n,), generator=generator)
        noise = torch.randn(n, len(self.coordinates.directions), generator=generator, dtype=torch.float64)
        moved = self.coordinates.move(self.scale * self.widths[i, None] * noise)
        return within_range(self.x[i] + moved.view_as(self.x[i]), self.x)


class Em(ReferenceSampler):
    """Draws of a Gaussian mixture in the items' `Coordinates`, mapped back.

    What these leave out of long vectors is drawn as independent noise of each axis; of images it is missing.
    """

    def __init__(self, items: int = 8192) -> None:
        self.items = items

    @override
    def fit(self, data: Data, generator: torch.Generator) -> None:
        x = choose(data, self.items, generator)
        self.coordinates = Coordinates.of(x, generator)
        found = self.coordinates.find(x)
        self.mixture = fit_mixture(found, generator)
        rest = x.flatten(1) - self.coordinates.centre - self.coordinates.move(found)
        self.rest = rest.std(0, correction=0) if x.dim() == 2 else torch.zeros_like(self.coordinates.centre)
        self.range = x

    @override
    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        flat = self.coordinates.centre + self.coordinates.move(self.mixture.draw(n, generator))
        flat = flat + self.rest * torch.randn(flat.shape, generator=generator, dtype=torch.float64)
        return within_range(flat.view(n, *self.range.shape[1:]), self.range)


def choose(data: Data, items: int, generator: torch.Generator) -> Tensor:
    """Training items (n, *shape) at random: at most so many, and at most `NUMBERS` numbers."""
    return training_items(data, min(items, max(1, NUMBERS // math.prod(data.shape))), generator).x


def local_widths(points: Tensor, most: int) -> Tensor:
    """The local width (n,) of points (n, C).

    It is the median over a point's k nearest neighbours of their distance from their own k-th neighbour, over sqrt(C).
    """
    from sklearn.neighbors import NearestNeighbors

    k = min(most, len(points) - 1)
    if not k:
        return torch.zeros(1, dtype=torch.float64)
    distances, nearest = map(torch.from_numpy, NearestNeighbors(n_neighbors=k).fit(points.numpy()).kneighbors())
    return distances[:, -1][nearest].quantile(0.5, 1) / math.sqrt(max(points.shape[1], 1))


def within_range(x: Tensor, items: Tensor) -> Tensor:
    """Bring images back to the range of items, in float32; vectors have none."""
    return (x.clamp(items.min(), items.max()) if x.dim() == 4 else x).float()
