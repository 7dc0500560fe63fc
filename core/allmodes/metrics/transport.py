"""Optimal transport between samples and held-out items."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.metrics.base import Evaluation, Metric
from allmodes.metrics.feature_metric import FeatureMetric
from allmodes_schemas import FeatureConfig

STEP = 5
"""One of so many points is among those from which the matching of all gets its start."""


class Wasserstein(Metric):
    """Exact 1-Wasserstein distance of samples and held-out items, with the Euclidean distance as cost, as `w1`.

    N items on each side, N at most `samples`: time grows as about N^2.5, memory as N^2 (50 MB for 2,500). Items are
    flattened; the unit is the data's. Far above zero even for a perfect sampler: compare with its floor. NaN if a
    sample is not finite.
    """

    def __init__(self, samples: int = 2500) -> None:
        self.samples = samples

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        n = min(self.samples, len(evaluation.samples), len(evaluation.real.x))
        x, y = (items[:n].flatten(1).double() for items in (evaluation.samples, evaluation.real.x))
        return {"w1": wasserstein(x, y) if x.isfinite().all() else math.nan}


def wasserstein(x: Tensor, y: Tensor) -> float:
    """Compute the 1-Wasserstein distance of finite points x (N, D) and y (N, D) with equal weights.

    Of as many points on each side some optimal plan is a one-to-one matching (Birkhoff and von Neumann), so the
    Hungarian method is exact. It may start from any potentials: subtracting a number from a row or a column of the
    costs changes the total of every matching alike. With those of `_potentials` 2,500 points take 1 to 4 s on one
    core whether samples are like the data or collapsed; without them collapsed samples take 20 s.
    """
    from scipy.optimize import linear_sum_assignment

    cost = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    u, v = _potentials(cost)
    matching = linear_sum_assignment((cost - u[:, None] - v).numpy())
    return float(cost.numpy()[matching].mean())


def _potentials(cost: Tensor) -> tuple[Tensor, Tensor]:
    """Guess the dual potentials (N,) and (N,) of a cost (N, N): entropic transport of some points, for all of them.

    Sinkhorn's iterations, with a temperature that falls from 0.3 to 0.0004 of the mean cost, then one c-transform.
    """
    some = slice(None, None, STEP)
    coarse = cost[some, some]
    v = torch.zeros(len(coarse), dtype=cost.dtype)
    for fall in range(7):
        heat = (0.3 / 3**fall * coarse.mean()).clamp(min=torch.finfo(cost.dtype).tiny)
        for _ in range(4):
            u = -heat * ((v - coarse) / heat).logsumexp(1)
            v = -heat * ((u[:, None] - coarse) / heat).logsumexp(0)
    u = (cost[:, some] - v).amin(1)
    return u, (cost - u[:, None]).amin(0)


class SlicedWasserstein(FeatureMetric):
    """p-Wasserstein distance of features along random directions (Bonneel et al., 2015): (mean of W_p^p)^(1/p).

    Cheap in many dimensions, where it is about W_p / sqrt(F): compare it with its floor alone. Samples and held-out
    items are equally many; memory is N times `projections` numbers on each side.
    """

    def __init__(self, features: FeatureConfig, projections: int = 1000, p: int = 2) -> None:
        self.projections, self.p = projections, p
        super().__init__(features, (f"sliced_w{p}",))

    @override
    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        n = min(len(x), len(y))
        directions = torch.randn(x.shape[1], self.projections, generator=generator, dtype=x.dtype)
        directions /= directions.norm(dim=0)
        return {f"sliced_w{self.p}": sliced_wasserstein(x[:n], y[:n], directions, self.p)}


def sliced_wasserstein(x: Tensor, y: Tensor, directions: Tensor, p: int = 2) -> float:
    """Compute (mean over directions (F, S) of W_p^p)^(1/p) of x (N, F) and y (N, F).

    On a line the optimal plan matches sorted points (Villani, Topics in Optimal Transportation, 2.18).
    """
    along_x, along_y = ((side @ directions).sort(dim=0).values for side in (x, y))  # (N, S)
    return float((along_x - along_y).abs().pow(p).mean() ** (1 / p))
