"""The modes of a mixture that samples fall into, their shares and their quality."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data import Data, Mixture
from allmodes.metrics.base import Evaluation, Metric

ROWS, PAIRS = 4096, 1 << 22
"""Samples, and pairs of a sample and a mode, of a chunk at most."""
POINTS = 10
"""Points a mode, on average, below which KL and variance ratio are withheld."""


class Modes(Metric):
    """Coverage and quality of a mixture's modes, after the protocol of Srivastava et al. (2017) and PacGAN.

    A sample is of high quality within `radius` stds of a mode's mean, by Euclidean distance; where it is so for several
    modes it belongs to the most probable of them. Samples of modes of weight zero are not of high quality.
    With n_k the number of high-quality samples of mode k, n their sum, w the true weights, K the modes:

    - `modes`: number of modes with n_k >= 1;
    - `high_quality`: n / N;
    - `kl`: sum_k (n_k / n) ln(n_k / (n w_k)), in nats and uncorrected;
    - `variance_ratio`: trace of the covariance within modes, pooled over modes, over its true value D std^2. Taken
      around each mode's own mean, so that a shifted mode does not look wide: 1 / ((n - modes) D) times the sum over
      high-quality samples of ||x - mean of its mode||^2 / std_k^2. D counts the noisy coordinates only. Samples beyond
      the radius are cut off, so that a perfect sampler scores a little less than 1: see `variance_ratio_floor`;
    - `high_quality_points`: n;
    - `high_quality_radius`: the radius, in stds.

    Of fewer than ten high-quality points a mode, `kl` and `variance_ratio` are withheld (NaN): they would mostly be the
    bias of `kl`, about (K - 1) / 2n.
    """

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if evaluation.data.truth is None:
            raise ValueError("metric modes: the data are not a mixture whose modes are known")
        truth = evaluation.data.truth.to("cpu")
        mode, good = modes_of(evaluation.samples, truth)
        good &= truth.present[mode]
        counts = mode[good].bincount(minlength=len(truth.means))
        reported = enough(int(good.sum()), int(truth.present.sum()))
        return {
            "modes": float((counts > 0).sum()),
            "high_quality": float(good.double().mean()),
            "kl": kl(counts, truth.weights) if reported else math.nan,
            "variance_ratio": _variance_ratio(evaluation.samples[good], mode[good], truth) if reported else math.nan,
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


def modes_of(samples: Tensor, truth: Mixture) -> tuple[Tensor, Tensor]:
    """Return the mode (N,) of each sample, -1 if it is not finite, and whether it is of high quality there (N,)."""
    rows = max(1, min(ROWS, PAIRS // len(truth.means)))
    parts = (_modes_of(part.double(), truth) for part in torch.split(samples.flatten(1), rows))
    modes, good = (torch.cat(column) for column in zip(*parts, strict=True))
    return modes, good


def _modes_of(x: Tensor, truth: Mixture) -> tuple[Tensor, Tensor]:
    """Return the most probable of the modes that hold x (n, D); if none does, the nearest in units of its width.

    So a perfect sampler's points are of high quality as often as they lie in any mode, however narrow modes lie in wide
    ones: nearest means would call the wide one's points, and nearest in widths the narrow one's, another's.
    """
    stds = truth.stds.double()
    # Differences, not matrix products, whose rounding would move points across the radius of a narrow mode.
    widths = torch.cdist(x, truth.means.double(), compute_mode="donot_use_mm_for_euclid_dist") / stds  # (n, K)
    likely = truth.weights.double().log() - truth.noisy * stds.log() - widths.square() / 2
    likely[widths > truth.radius] = -math.inf
    best = likely.max(1)
    modes = best.indices.where(best.values > -math.inf, widths.argmin(1))
    good = widths.gather(1, modes[:, None])[:, 0] <= truth.radius
    return modes.where(x.isfinite().all(1), -1), good


@lru_cache(maxsize=8)
def chance_quality(truth: Mixture, points: int = 10_000) -> float:
    """Estimate the share of high quality among uniform points, the same points every time.

    They fill the box that the modes' means span, widened by the radius: a sampler that is no better has learned no
    mode, however many it hits.
    """
    truth = truth.to("cpu")
    reach = truth.radius * truth.stds[:, None]
    low, high = (truth.means - reach).amin(0), (truth.means + reach).amax(0)
    uniform = torch.rand(points, len(low), generator=torch.Generator().manual_seed(0))
    modes, good = modes_of(low + (high - low) * uniform, truth)
    return float((good & truth.present[modes]).double().mean())


def _variance_ratio(x: Tensor, mode: Tensor, truth: Mixture) -> float:
    """Compute the trace of the pooled covariance within modes over D std^2, for samples x (n, D) of modes (n,)."""
    x, k = x.flatten(1).double(), len(truth.means)
    counts = mode.bincount(minlength=k)
    means = torch.zeros(k, x.shape[1], dtype=x.dtype).index_add_(0, mode, x) / counts[:, None]
    squares = (x - means[mode]).square().sum(1) / truth.stds[mode].double().square()  # (n,)
    freedom = len(x) - int((counts > 0).sum())
    return float(squares.sum()) / (freedom * truth.noisy) if freedom > 0 else math.nan
