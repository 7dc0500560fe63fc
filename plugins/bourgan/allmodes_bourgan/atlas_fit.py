"""The fit of an atlas, which is as fine, and whose charts have as many axes, as held-out items are likeliest under."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from functools import lru_cache
from math import inf
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from allmodes import DataError
from allmodes_bourgan import cells, units

LOGGER = logging.getLogger("allmodes.bourgan")

SIZES = (None, 512, 256, 128, 64, 32, 16, 8)
"""Items in a chart, about; None: whole clusters."""
RANKS = (0, 1, 2, 3, 5, 8, cells.MOST_AXES)
"""Axes of a chart, at most; 16 or, where there are fewer, all directions are tried too."""
POOLED = (0.0, 8.0)
"""Items by whose worth the variances of charts are drawn to their mean."""
HELD = 5
"""One of so many items is held out to choose by."""
CLEARLY = 0.02
"""A mean logarithm of the density is clearly less if it is less by this."""
PATIENCE = 2
"""Finer charts are not tried after so many in a row that are clearly less likely than the best."""
NUMBERS = 2**22
"""Coordinates of held-out items about the centres of charts that are in memory at a time."""
FEW = 64
"""Of so few items none are held out: they are one round chart."""


class Choice(NamedTuple):
    """How fine an atlas is, how many charts that makes, and the mean logarithm of its density at held-out items."""

    likelihood: float
    size: int | None
    rank: int
    pooled: float
    charts: int

    @property
    def merit(self) -> tuple[float, int]:
        """What the best choice has most of; of two that are nearly as likely, the simpler one has more."""
        return round(self.likelihood, 2), -self.charts * (1 + self.rank)


class Charts(NamedTuple):
    """The units of the data, a Gaussian for each chart in these units, and the chart (n,) of each item (n, d)."""

    of: units.Units
    gaussians: cells.Gaussians
    items: Tensor
    chart: Tensor


class Found(NamedTuple):
    """A choice, the units in which it was made, and the cell (n,) of each item."""

    choice: Choice
    of: units.Units
    cell: Tensor


def fit(items: Tensor) -> Charts:
    """The charts of items (n, d); they depend on the items alone, not on their order or a seed."""
    order = torch.from_numpy(np.lexsort(items.numpy().T[::-1]))
    return _fit_once(items[order].numpy().tobytes(), items.shape[1])


def compress(items: Tensor, m: int) -> Charts:
    """m charts of items (n, d), by k-means of all of them; held-out items choose their axes as they do an atlas'."""
    if m > len(items):
        raise DataError(f"bourgan.compressed: {m} charts of {len(items)} items: set fewer charts")
    of = units.measure_common(items)
    x = of.standardise(items)
    held = torch.arange(len(x)) % HELD == 0
    few = min(m, int((~held).sum()))
    best = max(_shapes(x[~held], x[held].double(), cells.partition(x[~held], few), None), key=lambda c: c.merit)
    cell = cells.partition(x, m)
    return Charts(of, cells.gaussians(cells.measure(x, cell), best.rank, best.pooled), items, cell)


@lru_cache(maxsize=1)
def _fit_once(items: bytes, d: int) -> Charts:
    """The charts of sorted items, given as bytes of float32: the seeds of a run that have the same ones share a fit."""
    began, x = time.monotonic(), torch.frombuffer(bytearray(items), dtype=torch.float32).reshape(-1, d)
    choice, of, cell = max(_found(x), key=lambda found: found.choice.merit)
    gaussians = cells.gaussians(cells.measure(of.standardise(x), cell), choice.rank, choice.pooled)
    what = f"{len(gaussians.shares)} charts of {len(x)} items, with {choice.rank} axes"
    LOGGER.info(f"bourgan: {what}, in {time.monotonic() - began:.1f} s")
    return Charts(of, gaussians, x, cell)


def _found(x: Tensor) -> Iterator[Found]:
    """The best charts with a unit for each axis, and with one for all; of few items one round chart."""
    for of in (units.measure_common(x), units.measure(x)):
        if len(x) < FEW:
            yield Found(Choice(0.0, None, 0, 0.0, 1), of, torch.zeros(len(x), dtype=torch.long))
        else:
            y = of.standardise(x)
            cluster = cells.find_clusters(y)
            best = max(_choices(y, cluster), key=lambda choice: choice.merit)
            likelihood = best.likelihood - float(of.std.log().sum())
            yield Found(best._replace(likelihood=likelihood), of, cells.cut(y, cluster, best.size))


def _choices(x: Tensor, cluster: Tensor) -> Iterator[Choice]:
    """Atlases of some of the items, coarse ones first, with the likelihood of the others.

    It ends once finer ones are less likely: these cost the most.
    """
    held, before = torch.arange(len(x)) % HELD == 0, None
    train, left = x[~held], cluster[~held]
    test = x[held & torch.isin(cluster, left)].double()  # items that are alone tell nothing of the others
    _, within = torch.unique(left, return_inverse=True)
    best, worse = -inf, 0
    for size in (size for size in SIZES if size is None or size >= x.shape[1]):
        cell = cells.cut(train, within, size and size * (HELD - 1) // HELD)
        if before is None or not cell.equal(before):
            shapes = list(_shapes(train, test, cell, size))
            yield from shapes
            found = max(choice.likelihood for choice in shapes)
            best, worse = max(best, found), worse + 1 if found < best - CLEARLY else 0
        if worse == PATIENCE:
            break
        before = cell


def _shapes(train: Tensor, test: Tensor, cell: Tensor, size: int | None) -> Iterator[Choice]:
    """Charts of all shapes on the cells (n,) of items (n, d), with the likelihood of held-out items."""
    moments, most = cells.measure(train, cell), min(train.shape[1], max(RANKS))
    ranks = sorted({rank for rank in RANKS if rank < most} | {most})
    shapes = [(rank, pooled) for rank in ranks for pooled in POOLED]
    charts = [cells.gaussians(moments, rank, pooled) for rank, pooled in shapes]
    sums = torch.zeros(len(charts), dtype=torch.double)
    for points in torch.split(test, max(1, NUMBERS // moments.means.numel())):
        seen = cells.look(points, moments)
        sums += torch.stack([cells.log_density(seen, one).logsumexp(1).sum() for one in charts])
    for (rank, pooled), likelihood in zip(shapes, (sums / len(test)).tolist(), strict=True):
        yield Choice(likelihood, size, rank, pooled, len(moments.counts))
