"""The effective number of different samples by a kernel, Vendi and RKE, and how far it is from that of real items."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.metrics.distances import Cloud
from allmodes.metrics.feature_metric import FeatureMetric
from allmodes_schemas import FeatureConfig

Kernel: TypeAlias = Literal["cosine", "gaussian"]
PAIRED = 1000
"""Real items whose distances give the width of the kernel."""


class Vendi(FeatureMetric):
    """Vendi score (Friedman and Dieng, 2023): exp of the entropy of the eigenvalues of K / N, K the similarities.

    1 where all samples are alike, N where all are different. It looks at the samples alone, the first `samples` of
    them; the features decide what counts as different, so compare with the floor, which is that of real items.

    With as many eigenvalues as samples the score grows with N. `truncate` keeps that many of the largest and spreads
    the rest of the sum evenly over them, which converges (Ospanov and Farnia, 2025, arXiv 2410.21719), as
    `truncated_vendi`.

    Time grows as the cube of N, with the cosine kernel of the smaller of N and F. NaN where the kernel is undefined:
    features of a sample are all zero (cosine), or most real items are alike (Gaussian).

    Args:
        features: The space.
        samples: Samples looked at, at most.
        kernel: `cosine` of the angle between features, or `gaussian`, exp(-d^2 / 2 width^2) of their distance d.
        bandwidth: Width of the Gaussian kernel, in median distances between real items.
        truncate: Eigenvalues kept; None: all.
    """

    def __init__(
        self,
        features: FeatureConfig,
        samples: int = 2500,
        kernel: Kernel = "cosine",
        bandwidth: float = 0.5,
        truncate: int | None = None,
    ) -> None:
        self.samples, self.kernel, self.bandwidth, self.kept = samples, kernel, bandwidth, truncate
        super().__init__(features, ("vendi" if truncate is None else "truncated_vendi",))

    @override
    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        x, width = x[: self.samples], kernel_width(y, self.bandwidth)
        shares = cosine_shares(x) if self.kernel == "cosine" else gaussian_shares(x, width)
        return {self.names[0]: effective_number(shares if self.kept is None else truncate(shares, self.kept))}


class Rke(FeatureMetric):
    """Renyi kernel entropy (Jalali, Li and Farnia, 2023): exp of the entropy of order 2 of K / N, 1 / ||K / N||^2.

    K is the Gaussian kernel and the norm Frobenius's, so that no eigenvalues are needed. The number of modes, where
    these are equal, narrow beside the kernel and far apart beside it. It looks at the samples alone, the first
    `samples` of them. NaN where most real items are alike.

    Args:
        features: The space.
        samples: Samples looked at, at most.
        bandwidth: Width of the kernel, in median distances between real items.
    """

    def __init__(self, features: FeatureConfig, samples: int = 2500, bandwidth: float = 0.5) -> None:
        self.samples, self.bandwidth = samples, bandwidth
        super().__init__(features, ("rke",))

    @override
    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        return {"rke": rke(x[: self.samples], kernel_width(y, self.bandwidth))}


class DiversityGap(FeatureMetric):
    """How much less diverse samples are than as many held-out items (Farnia et al., 2026, arXiv 2602.14682).

    - `vendi_gap`: ln Vendi of held-out items, less that of the samples, both with the same Gaussian kernel;
    - `rke_gap`: the same of RKE.

    Both scores grow with the number of items, so as many are compared on either side. The gaps are differences of
    entropies, in nats: 0 for a perfect sampler, positive where samples are less diverse, ln 2 where they are half as
    diverse. NaN where most real items are alike.

    Args:
        features: The space.
        samples: Items looked at on each side, at most; time grows as their cube.
        bandwidth: Width of the kernel, in median distances between real items.
    """

    def __init__(self, features: FeatureConfig, samples: int = 1000, bandwidth: float = 0.5) -> None:
        self.samples, self.bandwidth = samples, bandwidth
        super().__init__(features, ("vendi_gap", "rke_gap"))

    @override
    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        n, width = min(self.samples, len(x), len(y)), kernel_width(y, self.bandwidth)
        vendi_x, vendi_y = (effective_number(gaussian_shares(side[:n], width)) for side in (x, y))
        rke_x, rke_y = (rke(side[:n], width) for side in (x, y))
        return {"vendi_gap": math.log(vendi_y / vendi_x), "rke_gap": math.log(rke_y / rke_x)}


def kernel_width(y: Tensor, bandwidth: float) -> float:
    """Compute the width of the Gaussian kernel: `bandwidth` times the median distance between items y (M, F).

    NaN if that is 0, or if there is one item alone.
    """
    distances = torch.pdist(y[:PAIRED])
    width = bandwidth * float(distances.median()) if len(distances) else 0.0
    return width if width > 0 else math.nan


def vendi(x: Tensor) -> float:
    """Compute the Vendi score of features x (N, F), float64, by their cosine similarities."""
    return effective_number(cosine_shares(x))


def rke(x: Tensor, width: float) -> float:
    """Compute exp of the Renyi entropy of order 2 of x (N, F) with a Gaussian kernel of this width."""
    total = sum(float(squares.about.clamp(min=0).div(-(width**2)).exp().sum()) for squares in Cloud(x).squares(x))
    return len(x) ** 2 / total


def cosine_shares(x: Tensor) -> Tensor:
    """Eigenvalues (min(N, F),) of K / N; X'X has those of XX' but zeros, and may be smaller. NaN for a zero row."""
    unit = x / x.norm(dim=1, keepdim=True)
    return _shares(unit @ unit.T if len(x) <= x.shape[1] else unit.T @ unit, len(x))


def gaussian_shares(x: Tensor, width: float) -> Tensor:
    """Eigenvalues (N,) of K / N with k = exp(-d^2 / 2 width^2); NaN where the width is."""
    squares = torch.cat([squares.about.clamp(min=0) for squares in Cloud(x).squares(x)])
    return _shares(squares.div_(-2 * width**2).exp_(), len(x))


def _shares(gram: Tensor, n: int) -> Tensor:
    if not gram.isfinite().all():
        return torch.full((len(gram),), math.nan, dtype=gram.dtype)
    shares: Tensor = torch.linalg.eigvalsh(gram / n).clamp(min=0)
    return shares


def truncate(shares: Tensor, kept: int) -> Tensor:
    """Keep the largest of eigenvalues whose sum is 1, and spread the rest of the sum evenly over them."""
    largest = shares.topk(min(kept, len(shares))).values
    return largest + (1 - largest.sum()).clamp(min=0) / len(largest)


def effective_number(shares: Tensor) -> float:
    """Compute exp of the entropy of eigenvalues whose sum is 1."""
    return float(torch.special.entr(shares).sum().exp())
