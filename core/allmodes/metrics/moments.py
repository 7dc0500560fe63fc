"""Distances of feature distributions by their moments: FID and KID."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from allmodes.metrics.spaces import FeatureMetric, Reference
from allmodes_schemas import FeatureConfig


class Fid(FeatureMetric):
    """Frechet distance of two Gaussians with the features' means and covariances (Heusel et al., 2017).

    |m_x - m_y|^2 + tr C_x + tr C_y - 2 tr (C_x C_y)^(1/2) in float64, with the sample covariance. Biased upwards by a
    term that falls as 1/N: compare numbers of the same N and features only, and with their floor. A Gaussian in F
    dimensions takes more than F items; a warning says where there are fewer.
    """

    def __init__(self, features: FeatureConfig, reference: Reference = "held_out") -> None:
        super().__init__(features, {"fid": "lower"}, reference)

    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        """The squared distance as `fid`."""
        if (n := min(len(x), len(y))) <= x.shape[1]:
            warnings.warn(
                f"{self.key('fid')}: {n} items are too few for the covariance of {x.shape[1]} features: raise "
                "evaluation.samples, or take features of fewer dimensions",
                stacklevel=2,
            )
        return {"fid": frechet(x.mean(0), _covariance(x), y.mean(0), _covariance(y))}


class Kid(FeatureMetric):
    """Squared maximum mean discrepancy with the kernel (x.y / F + 1)^3, unbiased (Binkowski et al., 2018).

    The mean over `subsets` random subsets of `size` items (or all, if there are fewer) of either side as `kid`, which
    is negative at times, and their standard deviation as `kid_std`: that of a subset, not of the mean.
    """

    def __init__(
        self, features: FeatureConfig, subsets: int = 100, size: int = 1000, reference: Reference = "held_out"
    ) -> None:
        self.subsets, self.size = subsets, size
        super().__init__(features, {"kid": "lower", "kid_std": "near"}, reference)

    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        """Mean and standard deviation over the subsets."""
        size = min(self.size, len(x), len(y))
        chosen = ([_some(side, size, generator) for side in (x, y)] for _ in range(self.subsets))
        values = torch.tensor([polynomial_mmd(*sides) for sides in chosen], dtype=torch.float64)
        return {"kid": float(values.mean()), "kid_std": float(values.std(correction=0))}


def frechet(mean_x: Tensor, cov_x: Tensor, mean_y: Tensor, cov_y: Tensor) -> float:
    """Squared 2-Wasserstein distance of two Gaussians, float64.

    tr (C_x C_y)^(1/2) is the sum of the roots of the eigenvalues of S C_y S with S = C_x^(1/2): symmetric, so that it
    is real and exists for singular covariances too.
    """
    values, vectors = torch.linalg.eigh(cov_x)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_y @ root).clamp(min=0).sqrt().sum()
    return float((mean_x - mean_y).square().sum() + cov_x.trace() + cov_y.trace() - 2 * cross)


def polynomial_mmd(x: Tensor, y: Tensor) -> float:
    """Unbiased estimate from x (m, F) and y (m, F), m at least 2."""
    m = len(x)
    xx, yy, xy = (_kernel(a, b) for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace() + yy.sum() - yy.trace()) / (m * (m - 1))
    return float(within - 2 * xy.mean())


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


def _covariance(x: Tensor) -> Tensor:
    """(F, F), also where F is 1."""
    centred = x - x.mean(0)
    return centred.T @ centred / (len(x) - 1)


def _some(x: Tensor, n: int, generator: torch.Generator) -> Tensor:
    return x[torch.randperm(len(x), generator=generator)[:n]]
