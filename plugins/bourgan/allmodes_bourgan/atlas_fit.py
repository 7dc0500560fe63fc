"""The fit of an atlas, which is as fine, and whose charts have as many axes, as held-out items are likeliest under."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from allmodes_bourgan import cells, units

LOGGER = logging.getLogger("allmodes.bourgan")

SIZES = (None, 512, 256, 128, 64, 32, 16, 8)
"""Items in a chart, about; None: whole clusters."""
RANKS = (0, 1, 2, 3, 5, 8, 16)
"""Axes of a chart, at most; 16 or, where there are fewer, all directions are tried too."""
POOLED = (0.0, 8.0)
"""Items by whose worth the variances of charts are drawn to their mean."""
HELD = 5
"""One of so many items is held out to choose by."""
FEW = 64
"""Of so few items none are held out: they are one round chart."""


class Choice(NamedTuple):
    """How fine an atlas is; `likelihood` is the mean logarithm of the density at held-out items."""

    likelihood: float
    size: int | None
    rank: int
    pooled: float

    @property
    def merit(self) -> tuple[float, int]:
        """What the best choice has most of; of two that are nearly as likely, that with fewer axes has more."""
        return round(self.likelihood, 2), -self.rank


class Charts(NamedTuple):
    """The axes of the data, a Gaussian for each chart in units of these, and the chart (n,) of each item (n, d)."""

    of: units.Units
    gaussians: cells.Gaussians
    items: Tensor
    chart: Tensor


def fit(items: Tensor) -> Charts:
    """The charts of items (n, d); they depend on the items alone, not on their order or a seed."""
    began = time.monotonic()
    items = items[torch.from_numpy(np.lexsort(items.numpy().T[::-1]))]
    of = units.measure(items)
    x = of.standardise(items)
    if len(x) < FEW:
        choice, cell = Choice(0.0, None, 0, 0.0), torch.zeros(len(x), dtype=torch.long)
    else:
        cluster = cells.find_clusters(x)
        choice = max(_choices(x, cluster), key=lambda choice: choice.merit)
        cell = cells.cut(x, cluster, choice.size)
    found = cells.gaussians(cells.measure(x, cell), choice.rank, choice.pooled)
    what = f"{len(found.shares)} charts of {len(x)} items, with {choice.rank} axes"
    LOGGER.info(f"bourgan: {what}, in {time.monotonic() - began:.1f} s")
    return Charts(of, found, items, cell)


def _choices(x: Tensor, cluster: Tensor) -> Iterator[Choice]:
    """Every atlas of some of the items, with the likelihood of the others."""
    held, before = torch.arange(len(x)) % HELD == 0, None
    test, train, most = x[held].double(), x[~held], min(x.shape[1], max(RANKS))
    _, within = torch.unique(cluster[~held], return_inverse=True)  # a cluster may have lost all of its items
    for size in (size for size in SIZES if size is None or size >= x.shape[1]):
        cell = cells.cut(train, within, size and size * (HELD - 1) // HELD)
        if before is not None and cell.equal(before):
            continue
        moments, before = cells.measure(train, cell), cell
        for rank in sorted({rank for rank in RANKS if rank < most} | {most}):
            for pooled in POOLED:
                log_density = cells.log_density(test, cells.gaussians(moments, rank, pooled))
                yield Choice(float(log_density.logsumexp(1).mean()), size, rank, pooled)
