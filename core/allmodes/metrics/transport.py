"""Optimal transport between samples and held-out items."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from allmodes.metrics.base import Better, Evaluation, Metric
from allmodes.metrics.spaces import FeatureMetric
from allmodes_schemas import FeatureConfig


class Wasserstein(Metric):
    """Exact 1-Wasserstein distance of samples and held-out items, with the Euclidean distance as cost.

    Optimal transport of N against N points, N at most `samples`: time grows as about N^2.5, memory as N^2 (50 MB for
    2,500). Items are flattened; the unit is the data's. Far above zero even for a perfect sampler: see `floors`. NaN if
    a sample is not finite.
    """

    better: ClassVar[Mapping[str, Better]] = {"w1": "lower"}

    def __init__(self, samples: int = 2500) -> None:
        self.samples = samples

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        """The distance as `w1`."""
        import ot

        n = min(self.samples, len(evaluation.samples), len(evaluation.real.x))
        x, y = (items[:n].flatten(1).double() for items in (evaluation.samples, evaluation.real.x))
        if not x.isfinite().all():
            return {"w1": math.nan}  # the solver would not end
        cost = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").numpy()
        return {"w1": float(ot.emd2([], [], cost, numItermax=100_000_000))}


class SlicedWasserstein(FeatureMetric):
    """p-Wasserstein distance of features along random directions (Bonneel et al., 2015): (mean of W_p^p)^(1/p).

    Cheap in many dimensions, where it is about W_p / sqrt(F): compare it with its floor alone. Samples and held-out
    items are equally many; memory is N times `projections` numbers on each side.
    """

    def __init__(self, features: FeatureConfig, projections: int = 1000, p: int = 2) -> None:
        self.projections, self.p = projections, p
        super().__init__(features, {f"sliced_w{p}": "lower"})

    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        """The distance of features x (N, F) and y (M, F)."""
        from ot.sliced import sliced_wasserstein_distance

        n = min(len(x), len(y))
        directions = torch.randn(x.shape[1], self.projections, generator=generator, dtype=x.dtype)
        directions /= directions.norm(dim=0)
        distance = sliced_wasserstein_distance(x[:n], y[:n], projections=directions, p=self.p)
        return {f"sliced_w{self.p}": float(distance)}
