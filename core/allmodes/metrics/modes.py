"""Which modes or classes samples fall into, and in which shares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from allmodes.data import Data, Mixture
from allmodes.metrics.base import Better, Evaluation, Metric
from allmodes.step import Batch


class Modes(Metric):
    """Coverage and quality of a mixture's modes, after the protocol of Srivastava et al. (2017) and PacGAN.

    A sample belongs to the mode whose mean is nearest and is of high quality within `threshold` stds of that mode, both
    by Euclidean distance. With n_k the number of high-quality samples of mode k, n their sum and w the true weights:

    - `modes`: number of modes with n_k >= 1;
    - `high_quality`: n / N;
    - `kl`: sum_k (n_k / n) ln(n_k / (n w_k)), in nats and uncorrected;
    - `variance_ratio`: trace of the covariance within modes, pooled over modes, over its true value D std^2. Taken
      around each mode's own mean, so that a shifted mode does not look wide: 1 / ((n - modes) D) times the sum over
      high-quality samples of ||x - mean of its mode||^2 / std_k^2. D counts the noisy coordinates only. Samples beyond
      the threshold are cut off, so that a perfect sampler scores a little less than 1: see `variance_ratio_floor`.

    Where no sample is of high quality, `kl` and `variance_ratio` are NaN: there is nothing to measure.
    """

    better: ClassVar[Mapping[str, Better]] = {
        "modes": "higher",
        "high_quality": "higher",
        "kl": "lower",
        "variance_ratio": "near",
    }

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        """The numbers by key.

        Raises:
            ValueError: If the data's modes are not known.
        """
        if evaluation.data.truth is None:
            raise ValueError("metric modes: the data are not a mixture whose modes are known")
        truth = evaluation.data.truth.to("cpu")
        mode, good = nearest_modes(evaluation.samples, truth)
        counts = mode[good].bincount(minlength=len(truth.means))
        return {
            "modes": float((counts[truth.weights > 0] > 0).sum()),
            "high_quality": float(good.double().mean()),
            "kl": kl(counts, truth.weights),
            "variance_ratio": _variance_ratio(evaluation.samples[good], mode[good], truth),
        }


class ClassCoverage(Metric):
    """Classes among the samples by their nearest training items: a rough measure that needs no classifier.

    The label of a sample is that of the nearest of at most `items` training items by Euclidean distance of pixels.

    - `classes`: number of labels that at least one sample has;
    - `class_kl`: KL of the samples' labels from those of the same training items, in nats and uncorrected.

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
        return {"classes": float((counts > 0).sum()), "class_kl": kl(counts, labels.bincount(minlength=classes))}

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


def nearest_modes(samples: Tensor, truth: Mixture) -> tuple[Tensor, Tensor]:
    """The nearest mode (N,) of each sample, and whether it is of high quality (N,)."""
    # Differences, not matrix products, whose rounding would move points across the threshold of a narrow mode.
    parts = (
        torch.cdist(part, truth.means, compute_mode="donot_use_mm_for_euclid_dist").min(1)
        for part in torch.split(samples.float().flatten(1), 4096)
    )
    distances, modes = (torch.cat(column) for column in zip(*parts, strict=True))
    return modes, distances <= truth.threshold * truth.stds[modes]


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
    known = items.float().flatten(1)
    return torch.cat([torch.cdist(part, known).argmin(1) for part in torch.split(samples.float().flatten(1), 512)])
