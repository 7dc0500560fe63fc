"""The fit of an atlas: its fineness and the shape of its charts are those under which held-out items are likeliest.

Of several that are nearly as likely, Akaike's criterion (1974) chooses, which looks at the charts of all items, as they
will be: those that were fitted to fewer may be better or worse by chance.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from functools import lru_cache
from math import inf
from operator import attrgetter
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from allmodes import DataError
from allmodes_bourgan import cells, units
from allmodes_bourgan.cells import Shape
from allmodes_bourgan.settling import Settling, settle

LOGGER = logging.getLogger("allmodes.bourgan")

SIZES = (None, 512, 256, 128, 64, 32, 16, 8)
"""Items in a chart, about; None: whole clusters."""
RANKS = (0, 1, 2, 3, 5, 8, 16, 32, cells.MOST_AXES)
"""Axes of a chart, at most; where there are fewer directions, all of them are tried too."""
POOLED = (0.0, 8.0)
"""Items by whose worth the variances of charts are drawn to their mean."""
BENT = {1: "", 2: " bent", 3: " twice bent"}
"""Degrees of what bends charts, and what these are called."""
SETTLED = (64, 32, 16)
"""Items in a chart, about, before charts are settled, beside the best size of those that are not."""
CURVE = Shape(1, 0.0, 3)
"""The shape under which charts settle, beside the best of those that do not: along a curve they grow long by it."""
BENDABLE = 2 * cells.PER_DEGREE
"""Charts of so many items, about, settle under it: smaller ones are straight."""
HELD = 5
"""One of so many items is held out to choose by."""
CLEARLY = 0.02
"""A mean logarithm of the density is clearly less if it is less by this."""
PATIENCE = 2
"""Finer charts are not tried after so many in a row that are clearly less likely than the best."""
SCATTER = 0.5
"""Logarithms of densities under two choices differ by so much from item to item, about."""
FINALISTS = 4
"""The final choice is among so many at most."""
FEW = 64
"""Of so few items none are held out: they are one round chart."""


class Choice(NamedTuple):
    """The mean log density at held-out items of charts of about so many items each, or of what they settle to."""

    likelihood: float
    size: int | None
    shape: Shape
    charts: int
    settling: Settling | None = None

    @property
    def merit(self) -> tuple[float, int]:
        """What the best choice has most of; of two that are nearly as likely, the simpler one has more."""
        return round(self.likelihood, 2), -self.charts * (self.shape.rank + self.shape.degree)


MERIT = attrgetter("merit")


class Charts(NamedTuple):
    """The units of the data, a Gaussian for each chart in these units, and the chart (n,) of each item (n, d).

    It says of each chart (K,) whether it is a whole cluster: no piece of something that goes on in the next chart.
    """

    of: units.Units
    gaussians: cells.Gaussians
    items: Tensor
    chart: Tensor
    whole: Tensor


class Found(NamedTuple):
    """A choice, the units in which it was made, and the items (n, d) in them with the cluster (n,) of each."""

    choice: Choice
    of: units.Units
    x: Tensor
    cluster: Tensor


class Final(NamedTuple):
    """The shape of charts, the chart (n,) of each of all items, and how good they are by Akaike's criterion.

    That is the mean log density less one nat for each number that was fitted, shared out over items: more is better.
    """

    merit: float
    shape: Shape
    chart: Tensor


def fit(items: Tensor) -> Charts:
    """The charts of items (n, d); they depend on the items alone, not on their order or a seed."""
    order = torch.from_numpy(np.lexsort(items.numpy().T[::-1]))
    return _fit_once(items[order].numpy().tobytes(), items.shape[1])


def compress(items: Tensor, m: int) -> Charts:
    """m straight charts of items (n, d), by k-means of all; held-out items choose their axes as they do an atlas'."""
    if m > len(items):
        raise DataError(f"bourgan.compressed: {m} charts of {len(items)} items: set fewer charts")
    of = units.measure_common(items)
    x = of.standardise(items)
    held = torch.arange(len(x)) % HELD == 0
    few = min(m, int((~held).sum()))
    cell = cells.partition(x[~held], few)
    best = max(_shapes(x[~held], x[held].double(), cell, None, (1,)), key=MERIT)
    cell = cells.partition(x, m)
    return Charts(
        of, cells.gaussians(cells.measure(x, cell), best.shape), items, cell, torch.zeros(m, dtype=torch.bool)
    )


@lru_cache(maxsize=1)
def _fit_once(data: bytes, d: int) -> Charts:
    """The charts of sorted items, given as bytes of float32: the seeds of a run that have the same ones share a fit."""
    began, items = time.monotonic(), torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(-1, d)
    found = max(_found(items), key=lambda found: found.choice.merit)
    _, shape, cell = max(_finals(found, _finalists(found)), key=MERIT)
    x = found.x
    gaussians = cells.gaussians(cells.measure(x, cell, shape.degree), shape)
    what = f"{len(gaussians.shares)}{BENT[shape.degree]} charts of {len(x)} items, with {shape.rank} axes"
    LOGGER.info(f"bourgan: {what}, in {time.monotonic() - began:.1f} s")
    return Charts(found.of, gaussians, items, cell, cells.whole(cell, found.cluster))


def _found(items: Tensor) -> Iterator[Found]:
    """The best charts with a unit for each axis, and with one for all; of few items one round chart."""
    for of in (units.measure_common(items), units.measure(items)):
        x = of.standardise(items)
        if len(x) < FEW:
            yield Found(Choice(0.0, None, Shape(0, 0.0, 1), 1), of, x, torch.zeros(len(x), dtype=torch.long))
        else:
            cluster = cells.find_clusters(x)
            best = max(_choices(*_parted(x, cluster)), key=MERIT)
            likelihood = best.likelihood - float(of.std.log().sum())
            yield Found(best._replace(likelihood=likelihood), of, x, cluster)


def _parted(x: Tensor, cluster: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Items to fit charts to, the cluster of each, and held-out items; those that are alone tell nothing of others."""
    held = torch.arange(len(x)) % HELD == 0
    left, within = torch.unique(cluster[~held], return_inverse=True)
    return x[~held], within, x[held & torch.isin(cluster, left)].double()


def _choices(train: Tensor, cluster: Tensor, test: Tensor) -> Iterator[Choice]:
    """Atlases of items, coarse ones first, with the likelihood of held-out ones.

    It ends once finer ones are less likely: these cost the most.
    """
    best, worse, before = -inf, 0, None
    for size in (size for size in SIZES if size is None or size >= train.shape[1]):
        cell = cells.cut(train, cluster, _part(size))
        if before is None or not cell.equal(before):
            shapes = list(_shapes(train, test, cell, size))
            yield from shapes
            found = max(choice.likelihood for choice in shapes)
            best, worse = max(best, found), worse + 1 if found < best - CLEARLY else 0
        if worse == PATIENCE:
            break
        before = cell


def _part(size: int | None) -> int | None:
    """The size of cells without held-out items."""
    return size and size * (HELD - 1) // HELD


def _finalists(found: Found) -> list[Choice]:
    """The best charts, and those to which some settle, as far as a standard error of the likelihood tells them apart.

    That is of a mean of as many differences as there are held-out items. Pooled variances are not free, so that
    Akaike's criterion, which counts free numbers, does not say which of such charts are better.
    """
    best, of, x, cluster = found
    if len(x) < FEW:
        return [best]
    (train, within, test), unit = _parted(x, cluster), float(of.std.log().sum())
    choices = [best]
    for size, cell, shape in _unsettled(train, within, best):
        for settling, settled in settle(train, cell, shape):
            likely = _shapes(train, test, settled, size)
            own = (c._replace(likelihood=c.likelihood - unit, settling=settling) for c in likely)
            choices.append(max(own, key=MERIT))
    least = max(choice.likelihood for choice in choices) - SCATTER * len(test) ** -0.5
    first, *others = sorted((choice for choice in choices if choice.likelihood >= least), key=MERIT, reverse=True)
    return [first, *(other for other in others if not first.shape.pooled and not other.shape.pooled)][:FINALISTS]


def _finals(found: Found, choices: list[Choice]) -> Iterator[Final]:
    """The charts of all items, not of those alone that were not held out, for each choice."""
    _, _, x, cluster = found
    settled = dict[tuple[int | None, Shape], dict[Settling, Tensor]]()
    for size, shape, settling in ((choice.size, choice.shape, choice.settling) for choice in choices):
        cell = cells.cut(x, cluster, size)
        if settling is not None:
            if (way := (size, settling.shape)) not in settled:
                settled[way] = dict(settle(x, cell, settling.shape))
            cell = settled[way][settling]
        moments = cells.measure(x, cell, shape.degree)
        numbers = len(moments.counts) * shape.numbers(x.shape[1])
        yield Final(_likelihoods(x.double(), moments, [shape])[0] - numbers / len(x), shape, cell)


def _unsettled(x: Tensor, cluster: Tensor, best: Choice) -> Iterator[tuple[int | None, Tensor, Shape]]:
    """Sizes and cells that are to settle, and under what shape; each once: several sizes can have the same cells."""
    seen = list[Tensor]()
    for size in SIZES:
        if size == best.size or (size in SETTLED and size >= x.shape[1]):
            cell = cells.cut(x, cluster, _part(size))
            if not any(cell.equal(other) for other in seen):
                seen.append(cell)
                shapes = [best.shape, CURVE] if size is None or size >= BENDABLE else [best.shape]
                yield from ((size, cell, shape) for shape in dict.fromkeys(shapes))


def _shapes(
    train: Tensor, test: Tensor, cell: Tensor, size: int | None, degrees: tuple[int, ...] = tuple(BENT)
) -> Iterator[Choice]:
    """Charts of all shapes on the cells (n,) of items (n, d), with the likelihood of held-out items."""
    most = min(train.shape[1], max(RANKS))
    ranks = sorted({rank for rank in RANKS if rank < most} | {most})
    for degree in degrees:
        moments = cells.measure(train, cell, degree)
        if degree == 1 or moments.bends[:, degree - 2].any():
            shapes = [Shape(rank, pooled, degree) for rank in ranks for pooled in POOLED if rank or degree == 1]
            for shape, likelihood in zip(shapes, _likelihoods(test, moments, shapes), strict=True):
                yield Choice(likelihood, size, shape, len(moments.counts))


def _likelihoods(test: Tensor, moments: cells.Moments, shapes: list[Shape]) -> list[float]:
    """The mean logarithm of the density at items (n, d), for each shape."""
    charts, sums = [cells.gaussians(moments, shape) for shape in shapes], torch.zeros(len(shapes), dtype=torch.double)
    for points in torch.split(test, max(1, cells.NUMBERS // moments.means.numel())):
        seen = cells.look(points, moments)
        sums += torch.stack([cells.log_density(seen, one).logsumexp(1).sum() for one in charts])
    means: list[float] = (sums / len(test)).tolist()
    return means
