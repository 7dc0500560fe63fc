"""Pairwise distances by faiss, accurate down to the closest pairs.

faiss computes in float32, and L2 by matrix products, ||x||^2 + ||y||^2 - 2 x.y, which loses the digits of pairs that
are close beside their norms, down to negative squares. BourGAN takes logarithms of distances, so points are centred
first and the squares of such pairs are computed again from differences in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeAlias

import faiss
import torch
from torch import Tensor

from allmodes import DataError

Distance: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From points (A, ...) and (B, ...) to distances (A, B)."""

CLOSE = 1e-4
"""Squares below this share of the points' own squares are computed again: above it GEMM is right to about 0.1 %."""
PAIRS = 1_000_000
"""Numbers in one block of differences."""


def faiss_distance(metric: str) -> Distance:
    """The distance of vectors (A, F), (B, F) in a metric, by faiss; `cosine` is that of directions, a chord.

    `metric` is l2, l1, linf or cosine. The chord sqrt(2 - 2 cos) is a metric, which 1 - cos is not.
    """
    others = {"l1": _distance_by(faiss.METRIC_L1), "linf": _distance_by(faiss.METRIC_Linf)}
    return {"l2": _l2, "cosine": _chord, **others}[metric]


def device() -> str:
    """Name the device of faiss: `GPU` or `CPU`."""
    return "CPU" if _resources() is None else "GPU"


def _l2(x: Tensor, y: Tensor) -> Tensor:
    centre = y.mean(0)
    a, b = x - centre, y - centre
    squares: Tensor = _pairwise(a, b, faiss.METRIC_L2).clamp_(min=0)
    norms = a.square().sum(1)[:, None] + b.square().sum(1)  # (A, B)
    close = (squares <= CLOSE * norms).nonzero()
    for i, j in _chunks(close, x.shape[1]):
        squares[i, j] = (x[i].double() - y[j].double()).square().sum(1).float()
    return squares.sqrt_()


def _chunks(pairs: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    for part in torch.split(pairs, max(1, PAIRS // size)):
        yield part[:, 0], part[:, 1]


def _chord(x: Tensor, y: Tensor) -> Tensor:
    return _l2(_directions(x), _directions(y))


def _directions(x: Tensor) -> Tensor:
    norms = x.norm(dim=1, keepdim=True)
    if not norms.all():
        at = int((norms == 0).nonzero()[0, 0])
        raise DataError(f"metric cosine: the features of item {at} are all zero, which has no direction: take l2")
    directions: Tensor = x / norms
    return directions


def _distance_by(metric: int) -> Distance:
    return lambda x, y: _pairwise(x, y, metric)


def _pairwise(x: Tensor, y: Tensor, metric: int) -> Tensor:
    a, b = x.float().contiguous().numpy(), y.float().contiguous().numpy()
    resources = _resources()
    if resources is None:
        return torch.from_numpy(faiss.pairwise_distances(a, b, metric=metric))
    return torch.from_numpy(faiss.pairwise_distance_gpu(resources, a, b, metric=metric))


@cache
def _resources() -> Any | None:
    """Resources of faiss on a GPU; None without one (the CPU build of faiss lacks the class)."""
    there = hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0
    return faiss.StandardGpuResources() if there else None
