"""Cells that are moved to where one Gaussian tells of their items: k-means cuts across corners, and too finely.

Each item moves to the cell under which it is likeliest, as in the classification EM algorithm (Celeux and Govaert,
1992); neighbours join while Schwarz's criterion (1978) favours one Gaussian over two.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, log
from typing import NamedTuple

import torch
from torch import Tensor

from allmodes_bourgan import cells
from allmodes_bourgan.cells import FEWEST, Moments, Shape

WORTHS = (0.5, 1.0)
"""What a number less is worth, in shares of what Schwarz's criterion says: at half of it fewer cells join."""
ROUNDS = 5
"""Items move so often at most."""


class Settling(NamedTuple):
    """How cells settle: of what shape their Gaussians are, and at how many of `WORTHS` they have joined."""

    shape: Shape
    joins: int


def settle(x: Tensor, cell: Tensor, shape: Shape) -> Iterator[tuple[Settling, Tensor]]:
    """The cells (n,) of items (n, d) that are moved, joined, and moved again; the longer, the fewer."""
    cell = move(x, cell, shape)
    for joins, worth in enumerate(WORTHS, 1):
        cell = join(x, cell, shape, worth)
        yield Settling(shape, joins), move(x, cell, shape)


def move(x: Tensor, cell: Tensor, shape: Shape) -> Tensor:
    """The cells (n,) of items (n, d) after each item moved to the likeliest cell, a few times.

    Cells of fewer than `FEWEST` items keep theirs; those that shrink below it lose them.
    """
    fixed = cell.bincount()[cell] < FEWEST
    if fixed.all():
        return cell
    for _ in range(ROUNDS):
        moved = torch.where(fixed, cell, _likeliest(x, cells.measure(x, cell, shape.degree), shape))
        if moved.equal(cell):
            break
        cell = _numbered(moved)
    return cell


def join(x: Tensor, cell: Tensor, shape: Shape, worth: float) -> Tensor:
    """The cells (n,) of items (n, d) after neighbours joined, those first that gain most by it."""
    known: dict[tuple[int, int], float] = {}
    names = list(range(int(cell.max()) + 1))  # a joined cell has a new one
    while True:
        for a, b in (pairs := _neighbours(x, cell, shape)):
            if (names[a], names[b]) not in known:
                known[names[a], names[b]] = _gain(x, cell, (a, b), shape, worth)
        into, taken = torch.arange(len(names)), set[int]()
        for gain, a, b in sorted(((known[names[a], names[b]], a, b) for a, b in pairs), reverse=True):
            if gain > 0 and not taken & {a, b}:
                into[b] = a
                taken |= {a, b}
                names[a] = max(names) + 1
        if not taken:
            return cell
        names = [names[k] for k in torch.unique(into).tolist()]
        cell = _numbered(into[cell])


def _neighbours(x: Tensor, cell: Tensor, shape: Shape) -> list[tuple[int, int]]:
    """Pairs of cells, each of which is the second likeliest of an item of the other."""
    moments = cells.measure(x, cell, shape.degree)
    other = _likeliest(x, moments, shape, but=cell)
    several = (moments.counts[cell] >= FEWEST) & (other != cell)
    pairs = torch.stack([cell, other], 1)[several].sort(1).values
    return [(a, b) for a, b in torch.unique(pairs, dim=0).tolist()]


def _gain(x: Tensor, cell: Tensor, pair: tuple[int, int], shape: Shape, worth: float) -> float:
    """By how many nats one Gaussian is better than two, each number that it has less being worth log(n) / 2."""
    a, b = pair
    both = (cell == a) | (cell == b)
    points, which = x[both], (cell[both] == b).long()
    one, two = (_likelihood(points, cells.measure(points, k, shape.degree), shape) for k in (0 * which, which))
    return one - two + worth * shape.numbers(x.shape[1]) / 2 * log(len(points))


def _likelihood(x: Tensor, moments: Moments, shape: Shape) -> float:
    """The logarithm of the density of all items (n, d) under the cells' Gaussians."""
    of = cells.gaussians(moments, shape._replace(pooled=0.0))
    return float(cells.log_density(cells.look(x.double(), moments, shape.rank), of).logsumexp(1).sum())


def _likeliest(x: Tensor, moments: Moments, shape: Shape, but: Tensor | None = None) -> Tensor:
    """The cell (n,) of at least `FEWEST` items under which each item (n, d) is likeliest, but for one (n,)."""
    of, few = cells.gaussians(moments, shape), moments.counts < FEWEST
    found = []
    for rows in torch.split(torch.arange(len(x)), max(1, cells.NUMBERS // moments.means.numel())):
        density = cells.log_density(cells.look(x[rows].double(), moments, shape.rank), of).masked_fill(few, -inf)
        found.append((density if but is None else density.scatter(1, but[rows, None], -inf)).argmax(1))
    return torch.cat(found)


def _numbered(cell: Tensor) -> Tensor:
    """Cells (n,) from 0, without empty ones."""
    numbered: Tensor = torch.unique(cell, return_inverse=True)[1]
    return numbered
