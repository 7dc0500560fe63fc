"""Which modes or classes samples fall into, and in which shares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from allmodes.data import Data, Mixture
from allmodes.data.batch import Batch
from allmodes.metrics.base import Better, Evaluation, Metric
from allmodes.metrics.distances import Cloud

ROWS, AT_ONCE = 4096, 1 << 22
"""Samples, and pairs of a sample and a mode, that are looked at together."""
POINTS = 10
"""Points a mode, on average, without which a KL is withheld, and the variance ratio with it."""


class Modes(Metric):
    """Coverage and quality of a mixture's modes, after the protocol of Srivastava et al. (2017) and PacGAN.

    A sample is of high quality within `radius` stds of a mode's mean, by Euclidean distance; where it is so for several
    modes it belongs to the most probable of them. Modes of weight zero are none of the data's: what lies there is of no
    quality. With n_k the number of high-quality samples of mode k, n their sum, w the true weights, K the modes:

    - `modes`: number of modes with n_k >= 1;
    - `high_quality`: n / N;
    - `kl`: sum_k (n_k / n) ln(n_k / (n w_k)), in nats and uncorrected;
    - `variance_ratio`: trace of the covariance within modes, pooled over modes, over its true value D std^2. Taken
      around each mode's own mean, so that a shifted mode does not look wide: 1 / ((n - modes) D) times the sum over
      high-quality samples of ||x - mean of its mode||^2 / std_k^2. D counts the noisy coordinates only. Samples beyond
      the radius are cut off, so that a perfect sampler scores a little less than 1: see `variance_ratio_floor`;
    - `high_quality_points`: n;
    - `high_quality_radius`: the radius, in stds.

    Of fewer than ten high-quality points a mode, `kl` and `variance_ratio` are withheld (NaN): the bias of `kl`, about
    (K - 1) / 2n, would be what they tell.
    """

    better: ClassVar[Mapping[str, Better]] = {
        "modes": "higher",
        "high_quality": "higher",
        "kl": "lower",
        "variance_ratio": "near",
        "high_quality_points": "near",
        "high_quality_radius": "near",
    }

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        """The numbers by key.

        Raises:
            ValueError: If the data's modes are not known.
        """
        if evaluation.data.truth is None:
            raise ValueError("metric modes: the data are not a mixture whose modes are known")
        truth = evaluation.data.truth.to("cpu")
        mode, good = modes_of(evaluation.samples, truth)
        good &= truth.present[mode]
        counts = mode[good].bincount(minlength=len(truth.means))
        told = enough(int(good.sum()), int(truth.present.sum()))
        return {
            "modes": float((counts > 0).sum()),
            "high_quality": float(good.double().mean()),
            "kl": kl(counts, truth.weights) if told else math.nan,
            "variance_ratio": _variance_ratio(evaluation.samples[good], mode[good], truth) if told else math.nan,
            "high_quality_points": float(good.sum()),
            "high_quality_radius": truth.radius,
        }


class ClassCoverage(Metric):
    """Classes among the samples by their nearest training items: a rough measure that needs no classifier.

    The label of a sample is that of the nearest of at most `items` training items by Euclidean distance of pixels.

    - `classes`: number of labels that at least one sample has;
    - `class_kl`: KL of the samples' labels from those of the same training items, in nats and uncorrected; withheld
      (NaN) for fewer than ten samples a class.

    Rough: pixel distance mistakes some digits for others even on real data, and says nothing about quality, since every
    sample, noise included, has some nearest item. Samples that are not finite are left out.
    """

    better: ClassVar[Mapping[str, Better]] = {"classes": "higher", "class_kl": "lower"}

    def __init__(self, items: int = 10_000) -> None:
        self.items = items

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        """The numbers by key.

        Raises:
            ValueError: If the data have no labels.
        """
        known = self._known(evaluation.data)
        if known.labels is None:
            raise ValueError("metric class_coverage: the data have no labels")
        labels, classes = known.labels.cpu(), evaluation.data.classes or 0
        finite = evaluation.samples[evaluation.samples.flatten(1).isfinite().all(1)]
        counts = labels[_nearest(finite, known.x.cpu())].bincount(minlength=classes)
        shares = labels.bincount(minlength=classes)
        told = enough(len(finite), int((shares > 0).sum()))
        return {"classes": float((counts > 0).sum()), "class_kl": kl(counts, shares) if told else math.nan}

    def _known(self, data: Data) -> Batch:
        """Different training items, the same at every evaluation, so that numbers of one run can be compared."""
        return next(data.loader(min(self.items, data.items or self.items), seed=0))


def kl(counts: Tensor, weights: Tensor) -> float:
    """KL(p || q) in nats of counts (K,) from weights (K,), both normalised here; NaN if there are no counts."""
    p, q = (part.double() / part.sum() for part in (counts, weights))
    return float(torch.special.xlogy(p, p).sub(torch.special.xlogy(p, q)).sum())


def variance_ratio_floor(threshold: float, dims: int) -> float:
    """What a perfect sampler scores as `variance_ratio`, if the threshold lies within every mode's own region.

    For a standard normal x of D dimensions E[||x||^2 | ||x|| < t] / D = F_{D+2}(t^2) / F_D(t^2), F_k the distribution
    function of chi-squared with k degrees of freedom: 0.9494 for t = 3, D = 2.
    """
    half = torch.tensor(threshold**2 / 2, dtype=torch.float64)
    above, at = (torch.special.gammainc(torch.tensor(d / 2, dtype=torch.float64), half) for d in (dims + 2, dims))
    return float(above / at)


def enough(points: int, modes: int) -> bool:
    """Whether so many points tell the shares of so many modes: then the bias of their KL is below 0.05 nats."""
    return points >= POINTS * modes


def modes_of(samples: Tensor, truth: Mixture) -> tuple[Tensor, Tensor]:
    """The mode (N,) of each sample, -1 where it is not finite, and whether the sample is of high quality there (N,)."""
    rows = max(1, min(ROWS, AT_ONCE // len(truth.means)))
    parts = (_modes_of(part.double(), truth) for part in torch.split(samples.flatten(1), rows))
    modes, good = (torch.cat(column) for column in zip(*parts, strict=True))
    return modes, good


def _modes_of(x: Tensor, truth: Mixture) -> tuple[Tensor, Tensor]:
    """Of the modes that hold x (n, D) the most probable; where none does, the nearest in units of its width.

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
def chance(truth: Mixture, points: int = 10_000) -> float:
    """Share of high quality among points that know nothing but where the data end.

    They are uniform over the box that the modes' means span, widened by the radius: a sampler that is no better has
    learned no mode, however many it hits. Estimated from so many points, the same every time.
    """
    truth = truth.to("cpu")
    reach = truth.radius * truth.stds[:, None]
    low, high = (truth.means - reach).amin(0), (truth.means + reach).amax(0)
    uniform = torch.rand(points, len(low), generator=torch.Generator().manual_seed(0))
    modes, good = modes_of(low + (high - low) * uniform, truth)
    return float((good & truth.present[modes]).double().mean())


def _variance_ratio(x: Tensor, mode: Tensor, truth: Mixture) -> float:
    """Trace of the pooled covariance within modes over D std^2, for samples x (n, D) of modes (n,)."""
    x, k = x.flatten(1).double(), len(truth.means)
    counts = mode.bincount(minlength=k)
    means = torch.zeros(k, x.shape[1], dtype=x.dtype).index_add_(0, mode, x) / counts[:, None]
    squares = (x - means[mode]).square().sum(1) / truth.stds[mode].double().square()  # (n,)
    freedom = len(x) - int((counts > 0).sum())
    return float(squares.sum()) / (freedom * truth.noisy) if freedom > 0 else math.nan


def _nearest(samples: Tensor, items: Tensor) -> Tensor:
    """Position of the nearest item (N,) of each sample."""
    return torch.cat([squares.nearest() for squares in Cloud(items).seen_from(samples)])
