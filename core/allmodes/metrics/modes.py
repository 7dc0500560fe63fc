"""The modes of a mixture that samples fall into, their shares and their quality."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data import Data, Truth
from allmodes.metrics.base import Evaluation, Metric

POINTS = 10
"""Points a mode, on average, below which KL and variance ratio are withheld."""


class Modes(Metric):
    """Coverage and quality of known modes, after the protocol of Srivastava et al. (2017) and PacGAN.

    The data's truth says which mode a sample belongs to and whether it is of high quality: within `radius` stds of it.
    Samples of modes of weight zero are not of high quality. With n_k the number of high-quality samples of mode k, n
    their sum, w the true weights, K the modes:

    - `modes`: number of modes with n_k >= 1;
    - `high_quality`: n / N;
    - `kl`: sum_k (n_k / n) ln(n_k / (n w_k)), in nats and uncorrected;
    - `variance_ratio`: variance of high-quality samples within their modes over its true value. Samples beyond the
      radius are cut off, so that a perfect sampler scores a little less than 1: see `variance_ratio_floor`;
    - `high_quality_points`: n;
    - `high_quality_radius`: the radius, in stds.

    Of a mixture's modes, a sample within the radius of several, by Euclidean distance, belongs to the most probable of
    them, and the variance is the trace of the covariance around each mode's own mean: see `Mixture`.

    Of fewer than ten high-quality points a mode, `kl` and `variance_ratio` are withheld (NaN): they would mostly be the
    bias of `kl`, about (K - 1) / 2n.
    """

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if evaluation.data.truth is None:
            raise ValueError("metric modes: the modes of the data are not known")
        truth = evaluation.data.truth.to("cpu")
        mode, good = truth.modes_of(evaluation.samples)
        good &= truth.present[mode]
        counts = mode[good].bincount(minlength=len(truth.weights))
        reported = enough(int(good.sum()), int(truth.present.sum()))
        return {
            "modes": float((counts > 0).sum()),
            "high_quality": float(good.double().mean()),
            "kl": kl(counts, truth.weights) if reported else math.nan,
            "variance_ratio": truth.variance_ratio(evaluation.samples[good], mode[good]) if reported else math.nan,
            "high_quality_points": float(good.sum()),
            "high_quality_radius": truth.radius,
        }

    @override
    def chance(self, data: Data) -> dict[str, float]:
        return {} if data.truth is None else {"high_quality": chance_quality(data.truth)}


def kl(counts: Tensor, weights: Tensor) -> float:
    """Compute KL(p || q) in nats of counts (K,) from weights (K,), both normalised here; NaN if there are no counts."""
    p, q = (part.double() / part.sum() for part in (counts, weights))
    return float(torch.special.xlogy(p, p).sub(torch.special.xlogy(p, q)).sum())


def variance_ratio_floor(threshold: float, dims: int) -> float:
    """Compute `variance_ratio` of a perfect sampler, if the threshold lies within every mode's own region.

    For a standard normal x of D dimensions E[||x||^2 | ||x|| < t] / D = F_{D+2}(t^2) / F_D(t^2), F_k the distribution
    function of chi-squared with k degrees of freedom: 0.9494 for t = 3, D = 2.
    """
    half = torch.tensor(threshold**2 / 2, dtype=torch.float64)
    above, at = (torch.special.gammainc(torch.tensor(d / 2, dtype=torch.float64), half) for d in (dims + 2, dims))
    return float(above / at)


def enough(points: int, modes: int) -> bool:
    """Whether the points suffice for the shares of that many modes: the bias of their KL is below 0.05 nats."""
    return points >= POINTS * modes


@lru_cache(maxsize=8)
def chance_quality(truth: Truth, points: int = 10_000) -> float:
    """Estimate the share of high quality among uniform points, the same points every time.

    They fill the box that holds the points of high quality: a sampler that is no better has learned no mode, however
    many it hits.
    """
    truth = truth.to("cpu")
    low, high = truth.box()
    uniform = torch.rand(points, len(low), generator=torch.Generator().manual_seed(0))
    modes, good = truth.modes_of(low + (high - low) * uniform)
    return float((good & truth.present[modes]).double().mean())
