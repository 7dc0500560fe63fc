"""Nearest neighbours by faiss, and from them how densely items lie: the widths and scales of the data at each item."""

from __future__ import annotations

from math import sqrt

import faiss
import torch
from torch import Tensor

from allmodes_bourgan.cells import THINNEST

WIDTH = 10
"""The neighbour whose distance is an item's width: near enough to stay within the thinnest modes."""
SCALE = 30
"""The neighbour whose distance is an item's local scale: what a generator and a penalty call one unit there."""


def neighbours(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Distances (n, k) of items (n, d) to their k nearest others, nearest first, and which these are.

    faiss finds them, in float32; their distances are computed again from differences in float64, since those of close
    pairs lose their digits. k is at most n - 1.
    """
    points = x.float().contiguous().numpy()
    _, found = faiss.knn(points, points, min(k + 1, len(x)))
    near = torch.from_numpy(found)  # (n, k + 1), itself or one at the same place among them
    distances = (x.double()[:, None] - x.double()[near]).norm(dim=2)
    distances, order = distances.sort(dim=1, stable=True)
    return distances[:, 1:].float(), near.gather(1, order)[:, 1:]


def widths(x: Tensor) -> Tensor:
    """The local width (n,) of each item: its neighbours' median distance to their 10th neighbour, over sqrt(d).

    A Gaussian of that width in each of d axes reaches about as far as that neighbour. The median keeps an item at the
    rim of a mode from having a wider one than those around it.
    """
    distances, near = neighbours(x, WIDTH)
    own = distances[:, -1] / sqrt(x.shape[1])
    return own[near].median(1).values


def scales(x: Tensor) -> Tensor:
    """The local scale (n,) of each item: the distance to its 30th neighbour, over sqrt(d).

    It is a unit, by which losses divide, and so never 0, not even where many items coincide.
    """
    distances, _ = neighbours(x, SCALE)
    return (distances[:, -1] / sqrt(x.shape[1])).clamp(min=THINNEST)
