"""The effective number of different samples: the Vendi score."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.metrics.feature_metric import FeatureMetric
from allmodes_schemas import FeatureConfig


class Vendi(FeatureMetric):
    """Vendi score (Friedman and Dieng, 2023): exp of the entropy of the eigenvalues of K / N, K the cosine similarity.

    1 where all samples are alike, N where all are orthogonal. It looks at the samples alone, the first `samples` of
    them; the features decide what counts as different, so compare with the floor, which is that of real items.
    Time grows as the cube of the smaller of N and F. NaN where features of a sample are all zero.
    """

    def __init__(self, features: FeatureConfig, samples: int = 2500) -> None:
        self.samples = samples
        super().__init__(features, ("vendi",))

    @override
    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        return {"vendi": vendi(x[: self.samples])}


def vendi(x: Tensor) -> float:
    """Compute the score of features x (N, F), float64; X'X has the eigenvalues of XX' but zeros, and may be smaller."""
    unit = x / x.norm(dim=1, keepdim=True)
    if not unit.isfinite().all():
        return math.nan
    gram = unit @ unit.T if len(x) <= x.shape[1] else unit.T @ unit
    shares = torch.linalg.eigvalsh(gram / len(x)).clamp(min=0)
    return float(torch.special.entr(shares).sum().exp())
