"""Cells of the data: clusters by density, each cut into pieces of about one size, and a Gaussian for each.

Clusters are found by HDBSCAN (Campello, Moulavi and Sander, 2013) without a number, and cut by k-means, so that pieces
of a curved cluster are nearly straight. A cell's Gaussian has a few axes of their own lengths and one width in all
other directions, as in a mixture of probabilistic principal components (Tipping and Bishop, 1999): a thin curve has one
axis, a ball none. It may be bent along the first.
"""

from __future__ import annotations

from math import log, pi
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from allmodes_bourgan import bows

SMALLEST = 1024
"""The smallest cluster has this part of all items."""
FEWEST = 8
"""A core point of a cluster has so many others around it, and a cluster so many items at least."""
ALONE = 10.0
"""An item is alone if it is so many times as far from the nearest cluster's nearest item as that is from its own eighth
neighbour."""
PER_AXIS = 16
"""A cell has so many items at least for each of its axes."""
PER_DEGREE = 16
"""A bent cell has so many items at least for each degree of what bends it."""
THINNEST = 1e-4
"""The least width of a cell, in units of the data's axes."""
MOST_AXES = 64
"""A cell has so many axes at most."""
NUMBERS = 2**22
"""Coordinates of items about the centres of cells that are in memory at a time."""


class Shape(NamedTuple):
    """Axes of a Gaussian at most, items by whose worth variances are drawn to their mean, and the degree of its bends.

    A Gaussian of degree 1 is straight, of 2 a parabola, of 3 a cubic.
    """

    rank: int
    pooled: float
    degree: int

    def numbers(self, d: int) -> int:
        """What a cell in d dimensions is made of: width, mean, axes and bends."""
        return 1 + d * (self.rank + self.degree)


class Moments(NamedTuple):
    """Items (K,) of cells, means (K, d), and variances (K, d), largest first, the first of them along directions.

    Of directions (K, d, r) there are as many as a cell has axes at most; where items have none, they are zero. Bends
    (K, 2, d) and bows (K, 2, 2) are those of the first direction, 0 where a cell is straight; the variances of a bent
    cell are those of its straightened items.
    """

    counts: Tensor
    means: Tensor
    variances: Tensor
    directions: Tensor
    bends: Tensor
    bows: Tensor


class Gaussians(NamedTuple):
    """Shares (K,), means (K, d), and axes (K, d, r) of lengths (K, r), beside which there is one width (K,).

    Bends (K, 2, d) and bows (K, 2, 2) are those of the first axis, 0 where a cell is straight.
    """

    shares: Tensor
    centres: Tensor
    axes: Tensor
    lengths: Tensor
    widths: Tensor
    bends: Tensor
    bows: Tensor


class Seen(NamedTuple):
    """Squared distances (n, K) of points from means, their parts (n, K, r) along directions, and these added up."""

    squares: Tensor
    along: Tensor
    within: Tensor


def find_clusters(x: Tensor) -> Tensor:
    """The cluster (n,) of each item (n, d), from 0.

    One beside all clusters belongs to that of the nearest item that is in one, or, if it lies `ALONE` there, to none:
    it is a cluster by itself, since it would make the other's Gaussian as wide as it is far.
    """
    from sklearn.cluster import HDBSCAN
    from sklearn.neighbors import NearestNeighbors

    smallest = max(FEWEST, len(x) // SMALLEST)
    if len(x) <= smallest:
        return torch.zeros(len(x), dtype=torch.long)
    points = x.numpy()
    label = HDBSCAN(min_cluster_size=smallest, min_samples=FEWEST, copy=True).fit_predict(points)
    inside, beside = label >= 0, label < 0
    if not inside.any():
        return torch.zeros(len(x), dtype=torch.long)
    if beside.any():
        near = NearestNeighbors(n_neighbors=FEWEST + 1).fit(points[inside])
        distance, nearest = near.kneighbors(points[beside], 1)
        reach = near.kneighbors(points[inside][nearest[:, 0]])[0][:, -1]
        label[beside] = label[inside][nearest[:, 0]]
        alone = beside.nonzero()[0][distance[:, 0] > ALONE * reach]
        label[alone] = label.max() + 1 + np.arange(len(alone))
    return torch.from_numpy(label).long()


def cut(x: Tensor, cluster: Tensor, size: int | None) -> Tensor:
    """The cell (n,) of each item: clusters cut by k-means into pieces of about that size; None: whole clusters."""
    cell, cells = torch.zeros_like(cluster), 0
    for members in (cluster == k for k in range(int(cluster.max()) + 1)):
        pieces = max(int(members.sum()) // size, 1) if size else 1
        cell[members] = cells + (partition(x[members], pieces) if pieces > 1 else 0)
        cells += pieces
    return cell


def whole(cell: Tensor, cluster: Tensor) -> Tensor:
    """Which cells (K,) have all items of one cluster and no others, by the cell and the cluster (n,) of each item."""
    found, of = torch.unique(torch.stack([cell, cluster]), dim=1)
    alone: Tensor = found.bincount() == 1
    return alone.scatter_reduce(0, found, of.bincount()[of] == 1, "prod")


def partition(x: Tensor, pieces: int) -> Tensor:
    """The piece (n,) of each item (n, d), by k-means; none is empty."""
    from sklearn.cluster import KMeans

    found = KMeans(pieces, n_init=1, random_state=0, max_iter=20).fit_predict(x.numpy())
    piece: Tensor = torch.unique(torch.from_numpy(found), return_inverse=True)[1]
    return piece


def measure(x: Tensor, cell: Tensor, degree: int = 1) -> Moments:
    """The moments of cells, each of which has items (n, d); bent up to a degree where they have enough."""
    each = [x[cell == k].double() for k in range(int(cell.max()) + 1)]
    counts = torch.tensor([float(len(points)) for points in each]).double()
    means = torch.stack([points.mean(0) for points in each])
    found = [_measure(points - mean, degree) for points, mean in zip(each, means, strict=True)]
    variances, *others = (torch.stack(values) for values in zip(*found, strict=True))
    alone = counts == 1
    variances[alone] = _nearest(x.double(), means[alone]).square()[:, None] / x.shape[1]
    return Moments(counts, means, variances.clamp(min=THINNEST**2), *others)


def _nearest(x: Tensor, some: Tensor) -> Tensor:
    """How far (k,) the nearest other item is from some (k, d) of the items (n, d): as wide is what is alone."""
    distances = torch.cdist(some, x, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.topk(min(2, len(x)), largest=False).values[:, -1]


def _measure(apart: Tensor, degree: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Variances (d,), directions (d, r), bends (2, d) and bows (2, 2) of items (n, d) of mean 0."""
    (n, d), (variances, directions) = apart.shape, _principal(apart)
    degree = min(degree, n // PER_DEGREE)
    if degree < 2 or d == 1:
        return variances, directions, apart.new_zeros(2, d), apart.new_zeros(2, 2)
    bow = bows.measure(apart @ directions[:, 0])
    bend = bows.fit(apart, directions[:, 0], degree)
    variances, directions = _principal(bows.straighten(apart, directions[:, 0], bend, bow), degree - 1)
    return variances, directions, bend, bows.measure(apart @ directions[:, 0])  # which may be turned round


def _principal(apart: Tensor, fitted: int = 0) -> tuple[Tensor, Tensor]:
    """Variances (d,) of items (n, d) of mean 0, largest first, and the directions (d, r) of the first of them.

    Of few long vectors all variance lies in their differences, so that no (d, d) matrix is needed. `fitted` numbers for
    each direction, beside the mean, were fitted to the items.
    """
    n, d = apart.shape
    freedom = max(n - 1 - fitted, 1)
    if n > d or d <= MOST_AXES:
        variances, directions = torch.linalg.eigh(apart.T @ apart / freedom)
        return variances.flip(0), directions.flip(1)[:, :MOST_AXES]
    _, lengths, rows = torch.linalg.svd(apart / freedom**0.5, full_matrices=False)
    return pad(lengths.square(), (0, d - n)), pad(rows[:MOST_AXES].T, (0, max(MOST_AXES - n, 0)))


def gaussians(moments: Moments, shape: Shape) -> Gaussians:
    """The Gaussian of each cell, with fewer axes in a small cell; an item that is alone has no part in the pool."""
    counts, means, variances, directions, bends, bow = moments
    shares, n, several = counts / counts.sum(), counts[:, None], (counts > 1).double()
    pool = (counts * several) @ variances.mean(1) / (counts * several).sum().clamp(min=1)
    worth = shape.pooled * several[:, None]
    variances = (n * variances + worth * pool) / (n + worth)
    own = torch.arange(variances.shape[1]) < (counts // PER_AXIS).clamp(max=shape.rank)[:, None]  # (K, d)
    others = (~own).sum(1).clamp(min=1)
    widths = torch.where(own.all(1), 1.0, (variances * ~own).sum(1) / others)
    lengths = torch.where(own, variances, widths[:, None])[:, : shape.rank].sqrt()
    return Gaussians(shares, means, directions[:, :, : shape.rank], lengths, widths.sqrt(), bends, bow)


def look(x: Tensor, moments: Moments, rank: int = MOST_AXES) -> Seen:
    """How points (n, d) lie from cells, whatever the widths of these are said to be; along so many directions.

    No (n, K, d) numbers are made: products with means, directions and bends say it all, in float64.
    """
    means, directions = moments.means, moments.directions[:, :, : max(rank, 1)]
    along = _project(x, means, directions)
    squares = x.square().sum(1)[:, None] - 2 * x @ means.T + means.square().sum(1)  # (n, K)
    if moments.bends.any():
        bends = moments.bends.mT  # (K, d, 2)
        g = bows.rise(along[:, :, :1], moments.bows)  # (n, K, 2)
        beside = _project(x, means, bends) - torch.einsum("nkj,kjl->nkl", g, bends.mT @ bends) / 2
        squares = squares - 2 * (g * beside).sum(2)
        along = along - torch.einsum("nkj,kjr->nkr", g, bends.mT @ directions)
    along = along.square()
    return Seen(squares.clamp(min=0), along, along.cumsum(2))


def _project(x: Tensor, means: Tensor, directions: Tensor) -> Tensor:
    """Parts (n, K, r) of points' offsets from means (K, d) along directions (K, d, r)."""
    return torch.einsum("nd,kdr->nkr", x, directions) - torch.einsum("kd,kdr->kr", means, directions)


def log_density(seen: Seen, of: Gaussians) -> Tensor:
    """Logarithms (n, K) of the shares times the densities, of the cells' Gaussians, at points that were looked at."""
    d, rank = of.axes.shape[1:]
    squares = torch.einsum("nkr,kr->nk", seen.along[:, :, :rank], of.lengths.square().reciprocal())
    if rank < d:
        rest = seen.squares - seen.within[:, :, rank - 1] if rank else seen.squares
        squares = squares + rest.clamp(min=0) / of.widths.square()
    volume = of.lengths.log().sum(1) + (d - rank) * of.widths.log()
    return of.shares.log() - volume - squares / 2 - d / 2 * log(2 * pi)
