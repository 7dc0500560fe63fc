r"""Bourgain's embedding of a finite metric space into L2, through distances to random subsets.

For random subsets :math:`S_{ij}` of :math:`m` items, in which each item is with probability :math:`2^{-i}`,

.. math:: f_{ij}(x) = \min_{y \in S_{ij}} d(x, y), \qquad i = 1..\lceil \log_2 m \rceil,\ j = 1..r,

each coordinate is 1-Lipschitz: :math:`|f_S(x) - f_S(y)| \le d(x, y)`. An empty subset gives the coordinate 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, exp, inf, log2, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from allmodes_bourgan.distances import Distance, faiss_distance

ROWS = 1024
"""Items whose distances to all others are held at once."""


def scales(m: int) -> int:
    """Number of sizes of subsets for m items, 1 or more: scale i has a share 2^-i, down to one item."""
    return max(1, ceil(log2(m)))


def random_sets(m: int, per_scale: int, generator: torch.Generator) -> list[Tensor]:
    """The positions of each subset's members, scale by scale."""
    shares = [2.0**-i for i in range(1, scales(m) + 1) for _ in range(per_scale)]
    return [(torch.rand(m, generator=generator) < share).nonzero()[:, 0] for share in shares]


def coordinates(items: Tensor, sets: list[Tensor], distance: Distance, keep: int = 0) -> tuple[Tensor, Tensor]:
    """Distance of each of the items (m, ...) to each subset (m, len(sets)), and those among the first `keep` items.

    Distances are computed for some rows at a time, each once, and are never held all together: memory is `ROWS` * m
    numbers. To search each subset for its nearest members takes twice to six times as long (`benchmark_fit.py`).
    """
    f, kept = [], []
    for start in range(0, len(items), ROWS):
        d = distance(items, items[start : start + ROWS])  # (m, rows)
        f.append(_find_nearest(d, sets))
        kept.append(d[:keep, : max(keep - start, 0)])
    return torch.cat(f), torch.cat(kept, 1)


def _find_nearest(distances: Tensor, sets: list[Tensor]) -> Tensor:
    """The smallest of the distances (m, rows) to the members of each subset: (rows, len(sets))."""
    nothing = distances.new_zeros(distances.shape[1])
    return torch.stack([distances[members].amin(0) if len(members) else nothing for members in sets], 1)


def standardise(f: Tensor) -> Tensor:
    """Scale as the official code: centred, and of unit variance averaged over the coordinates (m, dim)."""
    centred: Tensor = f - f.mean(0)
    rms = float(centred.square().sum(1).mean()) ** 0.5
    return centred * (f.shape[1] ** 0.5 / rms) if rms else centred


def spread(f: Tensor) -> float:
    """Root mean square of the centred coordinates of points f (m, dim): 1 after the official scaling."""
    centred: Tensor = f - f.mean(0)
    return sqrt(float(centred.square().mean()))


def project(f: Tensor, dim: int, generator: torch.Generator) -> Tensor:
    """Project by a Gaussian matrix, which keeps squared distances on average (Johnson-Lindenstrauss)."""
    directions = torch.randn(f.shape[1], dim, generator=generator) / float(dim) ** 0.5
    return torch.matmul(f, directions)


class Ratios(NamedTuple):
    """Statistics of log d(x, x') - log ||f(x) - f(x')|| over all pairs of different items at different places."""

    largest: float
    smallest: float
    mean: float
    variance: float

    @property
    def distortion(self) -> float:
        """Largest over smallest ratio, 1 or more; 1 for an isometry up to scale."""
        return exp(self.largest - self.smallest)

    def shifted(self, by: float) -> Ratios:
        """Ratios of the embedded points when all their distances are scaled by exp(-by)."""
        return Ratios(self.largest + by, self.smallest + by, self.mean + by, self.variance)


def ratios(d: Tensor, f: Tensor) -> Ratios | None:
    """Compute the ratios of distances d (n, n) and embedded points f (n, dim); None without such a pair."""
    parts = torch.stack([_sum_up(*block) for block in _blocks(d, f)])  # (blocks, 5)
    count, total, squares = parts[:, :3].sum(0).tolist()
    if not count:
        return None
    mean = total / count
    return Ratios(float(parts[:, 3].max()), float(parts[:, 4].min()), mean, max(squares / count - mean**2, 0.0))


def _blocks(d: Tensor, f: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Distances and embedded distances of the pairs i < j (zero for others), some rows at a time."""
    distance = faiss_distance("l2")
    for start in range(0, len(d), ROWS):
        e = distance(f[start:], f[start : start + ROWS]).T
        yield d[start : start + ROWS, start:], e.triu(1)


def _sum_up(d: Tensor, e: Tensor) -> Tensor:
    """Number, sum, sum of squares, largest and smallest of the logarithms of ratios (5,), float64."""
    different = (d > 0) & (e > 0)
    logs = (d.log() - e.log()).masked_fill_(~different, 0.0)
    infinite = logs.new_tensor(inf)
    largest, smallest = torch.where(different, logs, -infinite).amax(), torch.where(different, logs, infinite).amin()
    sums = [different.sum(), logs.sum(dtype=torch.float64), logs.square().sum(dtype=torch.float64)]
    return torch.stack([*sums, largest, smallest]).double()
