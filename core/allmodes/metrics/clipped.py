"""Clipped density and coverage: shares of good samples, by nearest neighbours in a feature space."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.metrics.distances import Cloud
from allmodes.metrics.feature_metric import FeatureMetric, Reference
from allmodes.metrics.neighbours import insides, radii_of
from allmodes_schemas import FeatureConfig


class ClippedDensityCoverage(FeatureMetric):
    """Clipped density and coverage (Salvy, Talbot and Thirion, 2025, arXiv 2507.01761): shares of good samples.

    With the balls of density and coverage no item counts for more than 1, so that neither a far outlier nor a
    crowded place makes up for what is bad elsewhere:

    - `clipped_density`: the number of balls that a sample lies in over k, at most 1, mean over the samples, over the
      same mean of the real items in each other's balls; at most 1. Balls larger than the median one are made as small
      as that;
    - `clipped_coverage`: the number of samples in the ball of a real item over k, at most 1, mean over the items;
      given as the share of the samples that, drawn as the real items are, would be expected to give this mean. A
      ball reaching to the k-th nearest of M - 1 others holds a share of Beta(k, M - k) of the data, so that expectation
      is that of a beta-binomial count.

    Both are about 1 for a perfect sampler and s where a share s of the samples is as from a perfect one and the others
    are far from the data. NaN where a real item has no k-th neighbour.
    """

    def __init__(self, features: FeatureConfig, k: int = 5, reference: Reference = "held_out") -> None:
        self.k = k
        super().__init__(features, ("clipped_density", "clipped_coverage"), reference)

    @override
    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        if len(y) <= self.k:
            return dict.fromkeys(self.names, math.nan)
        real = Cloud(y)
        radii = radii_of(real, self.k)
        cut = radii.clamp(max=radii.median())
        most = self._clip(_balls_around(y, real, cut) - 1)  # an item lies in its own ball
        share = self._clip(_balls_around(x, real, cut)) / most if most else math.nan
        covered = self._clip(torch.stack([near.sum(0) for near in insides(x, real, radii)]).sum(0))
        return {"clipped_density": min(share, 1.0), "clipped_coverage": good_share(covered, len(x), len(y), self.k)}

    def _clip(self, counts: Tensor) -> float:
        return float((counts.double() / self.k).clamp(max=1).mean())


def good_share(covered: float, n: int, m: int, k: int) -> float:
    """Return the share of n samples that, drawn as m real items are, would have an expected clipped count `covered`."""
    import numpy as np

    good = np.arange(n + 1)
    return float(np.interp(covered, expected_cover(good, m, k), good / n))


def expected_cover(samples: Any, m: int, k: int) -> Any:
    """Expected clipped count, over k, in the ball of one of m real items, for numbers of samples drawn as they are."""
    from scipy.stats import betabinom

    missing = sum((k - j) * betabinom.pmf(j, samples, k, m - k) for j in range(k))
    return 1 - missing / k


def _balls_around(x: Tensor, cloud: Cloud, radii: Tensor) -> Tensor:
    """Count the balls (N,) of the cloud's points that each x (N, F) lies in."""
    return torch.cat([inside.sum(1) for inside in insides(x, cloud, radii)])
