"""Fidelity and coverage by nearest neighbours in a feature space.

Distances are Euclidean, squared throughout, and exact where they decide: see `distances`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.metrics.distances import Cloud
from allmodes.metrics.feature_metric import FeatureMetric, Reference
from allmodes_schemas import FeatureConfig


class PrecisionRecall(FeatureMetric):
    """Improved precision and recall (Kynkaanniemi et al., 2019).

    The manifold of a set is the union of the balls around its items that reach to their k-th nearest other item.
    `precision` is the share of samples in the manifold of the real items, `recall` that of real items in the samples'.
    A single outlier has a large ball: see density and coverage. NaN where a side has no k-th neighbour.
    """

    def __init__(self, features: FeatureConfig, k: int = 3, reference: Reference = "held_out") -> None:
        self.k = k
        super().__init__(features, ("precision", "recall"), reference)

    @override
    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        if min(len(x), len(y)) <= self.k:
            return {"precision": math.nan, "recall": math.nan}
        return {"precision": _share_inside(x, y, self.k), "recall": _share_inside(y, x, self.k)}


class DensityCoverage(FeatureMetric):
    """Density and coverage (Naeem et al., 2020), robust to outliers.

    With the balls of the real items as above: `density` is the number of balls that a sample lies in, mean over the
    samples, over k (about 1 for a perfect sampler, and it may exceed that); `coverage` is the share of real items with
    a sample in their ball (about 1 - 2^-k for a perfect sampler and as many samples: 0.97 for k = 5). NaN where a real
    item has no k-th neighbour.
    """

    def __init__(self, features: FeatureConfig, k: int = 5, reference: Reference = "held_out") -> None:
        self.k = k
        super().__init__(features, ("density", "coverage"), reference)

    @override
    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        if len(y) <= self.k:
            return {"density": math.nan, "coverage": math.nan}
        real = Cloud(y)
        radii = radii_of(real, self.k)
        inside, covered = 0.0, torch.zeros(len(y), dtype=torch.bool)
        for within in insides(x, real, radii):
            inside, covered = inside + float(within.sum()), covered | within.any(0)
        return {"density": inside / (self.k * len(x)), "coverage": float(covered.double().mean())}


def insides(x: Tensor, cloud: Cloud, radii: Tensor) -> Iterator[Tensor]:
    """Yield whether rows of x lie in the balls of the cloud's points (n, M), which have these squared radii (M,)."""
    return (squares.within(radii) for squares in cloud.squares(x))


def _share_inside(x: Tensor, y: Tensor, k: int) -> float:
    """Compute the share of x (N, F) within the ball of some y (M, F)."""
    cloud = Cloud(y)
    radii = radii_of(cloud, k)
    return float(torch.cat([within.any(1) for within in insides(x, cloud, radii)]).double().mean())


def radii_of(cloud: Cloud, k: int) -> Tensor:
    """Compute the squared distance (M,) from each item to its k-th nearest other one; the item itself is first."""
    return torch.cat([squares.kth(k + 1) for squares in cloud.squares(cloud.points)])
