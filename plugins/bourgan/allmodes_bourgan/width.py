r"""How wide the Gaussians around embedded items are, and whether that swamps what the embedding kept.

Two draws around one point are :math:`\sigma \sqrt{2\,dim}` apart (root mean square): the width's reach. Distances of
embedded items below it drown in it. That is as it should be between an item and its nearest neighbours, and wrong where
whole clusters are smaller: the distance loss then asks for modes that are too wide.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor

from allmodes_bourgan.distances import faiss_distance
from allmodes_bourgan.embedding import ROWS

WIDEST = 0.1
"""The authors' first width, a share of the embedding's spread: the largest that `auto` takes."""
RARE = 0.02
"""Share of the items from which on a cluster counts."""
FEW = 5
"""Smallest number of neighbours within reach in a cluster."""
TIGHT = 1 / 3
"""A cluster whose items are mostly closer than this share of the width's reach is swamped."""


def choose_width(e: Tensor, dim: int, spread: float) -> float:
    """A width whose reach is the median distance to the nearest other place, or less.

    At most a tenth of the spread, and halved until no cluster is swamped.

    Args:
        e: Distances of some points to all (some, m), as `sample_distances` gives them.
        dim: Dimension of the points.
        spread: Root mean square of their centred coordinates.
    """
    nearest = e.masked_fill(e == 0, torch.inf).amin(1)
    width = min(WIDEST * spread, float(nearest[nearest.isfinite()].median()) / reach(1.0, dim))
    while swamped_share(e, reach(width, dim)) > RARE:
        width /= 2
    return width


def sample_distances(f: Tensor) -> Tensor:
    """Distances of the first points f (m, dim), which are in random order, to all (at most `ROWS`, m)."""
    return faiss_distance("l2")(f[:ROWS], f)


def reach(width: float, dim: int) -> float:
    """Root mean square distance of two draws around one point."""
    return width * sqrt(2 * dim)


def swamped_share(e: Tensor, within: float) -> float:
    """Share of points, at distances e (some, m) from others, that are in clusters which a reach swamps.

    Those are points for which at least half of what lies within reach, five points or more, lies within a third of
    it. Where points fill the space around them, even along a line, fewer than half do; where they do, the reach ends
    in the gap around a tight cluster. Points at the same place do not count.
    """
    near, tight = (((e > 0) & (e <= radius)).sum(1) for radius in (within, TIGHT * within))
    return float(((near >= FEW) & (2 * tight >= near)).double().mean())
