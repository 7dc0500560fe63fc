"""Fidelity and coverage by nearest neighbours in a feature space.

Distances are Euclidean, and squared throughout. What is equally far is treated alike: see `distances`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from allmodes.metrics.distances import Cloud
from allmodes.metrics.spaces import FeatureMetric, Reference
from allmodes_schemas import FeatureConfig


class PrecisionRecall(FeatureMetric):
    """Improved precision and recall (Kynkaanniemi et al., 2019).

    The manifold of a set is the union of the balls around its items that reach to their k-th nearest other item.
    `precision` is the share of samples in the manifold of the real items, `recall` that of real items in the samples'.
    A single outlier has a large ball: see density and coverage.
    """

    def __init__(self, features: FeatureConfig, k: int = 3, reference: Reference = "held_out") -> None:
        self.k = k
        super().__init__(features, {"precision": "higher", "recall": "higher"}, reference)

    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        """The two shares; NaN where a side has no k-th neighbour."""
        if min(len(x), len(y)) <= self.k:
            return {"precision": math.nan, "recall": math.nan}
        return {"precision": _share_inside(x, y, self.k), "recall": _share_inside(y, x, self.k)}


class DensityCoverage(FeatureMetric):
    """Density and coverage (Naeem et al., 2020), robust to outliers.

    With the balls of the real items as above: `density` is the number of balls that a sample lies in, mean over the
    samples, over k (about 1 for a perfect sampler, and it may exceed that); `coverage` is the share of real items with
    a sample in their ball (about 1 - 2^-k for a perfect sampler and as many samples: 0.97 for k = 5).
    """

    def __init__(self, features: FeatureConfig, k: int = 5, reference: Reference = "held_out") -> None:
        self.k = k
        super().__init__(features, {"density": "near", "coverage": "higher"}, reference)

    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        """The two numbers; NaN where a real item has no k-th neighbour."""
        if len(y) <= self.k:
            return {"density": math.nan, "coverage": math.nan}
        real = Cloud(y)
        radii = _radii(real, self.k)
        inside, covered = 0.0, torch.zeros(len(y), dtype=torch.bool)
        for squares in real.seen_from(x):
            within = squares.within(radii)
            inside, covered = inside + float(within.sum()), covered | within.any(0)
        return {"density": inside / (self.k * len(x)), "coverage": float(covered.double().mean())}


def _share_inside(x: Tensor, y: Tensor, k: int) -> float:
    """Share of x (N, F) within the ball of some y (M, F)."""
    cloud = Cloud(y)
    radii = _radii(cloud, k)
    return float(torch.cat([squares.within(radii).any(1) for squares in cloud.seen_from(x)]).double().mean())


def _radii(cloud: Cloud, k: int) -> Tensor:
    """Squared distance (M,) from each item to its k-th nearest other one; the item itself comes first, at 0."""
    return torch.cat([squares.kth(k + 1) for squares in cloud.seen_from(cloud.points)])
