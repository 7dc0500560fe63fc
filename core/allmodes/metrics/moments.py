"""Distances of feature distributions by their moments: FID and KID."""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.metrics.feature_metric import FeatureMetric, Reference
from allmodes_schemas import FeatureConfig

CHUNK = 1024
"""Rows of a kernel at once."""


class Fid(FeatureMetric):
    """Frechet distance of two Gaussians with the features' means and covariances (Heusel et al., 2017).

    |m_x - m_y|^2 + tr C_x + tr C_y - 2 tr (C_x C_y)^(1/2) in float64, with the sample covariance. Biased upwards by a
    term that falls as 1/N: compare numbers of the same N and features only, and with their floor. A Gaussian in F
    dimensions takes more than F items; a warning says where there are fewer.
    """

    def __init__(self, features: FeatureConfig, reference: Reference = "held_out") -> None:
        super().__init__(features, ("fid",), reference)

    @override
    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
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
    is negative at times, and their standard deviation as `kid_std`: that of a subset, not of the mean. With one subset,
    or where a subset is all items of a side, there is nothing to vary: `kid_std` is withheld (NaN). Both are NaN for
    fewer than two items.
    """

    def __init__(
        self, features: FeatureConfig, subsets: int = 100, size: int = 1000, reference: Reference = "held_out"
    ) -> None:
        self.subsets, self.size = subsets, size
        super().__init__(features, ("kid", "kid_std"), reference)

    @override
    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        size, fewest = min(self.size, len(x), len(y)), min(len(x), len(y))
        values = polynomial_mmd(x, y, *(_subsets(len(side), size, self.subsets, generator) for side in (x, y)))
        varies = self.subsets > 1 and size < fewest
        return {"kid": float(values.mean()), "kid_std": float(values.std(correction=0)) if varies else math.nan}


def frechet(mean_x: Tensor, cov_x: Tensor, mean_y: Tensor, cov_y: Tensor) -> float:
    """Compute the squared 2-Wasserstein distance of two Gaussians, float64.

    tr (C_x C_y)^(1/2) is the sum of the roots of the eigenvalues of S C_y S with S = C_x^(1/2): symmetric, so that it
    is real and exists for singular covariances too.
    """
    values, vectors = torch.linalg.eigh(cov_x)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_y @ root).clamp(min=0).sqrt().sum()
    return float((mean_x - mean_y).square().sum() + cov_x.trace() + cov_y.trace() - 2 * cross)


def polynomial_mmd(x: Tensor, y: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Estimate the squared MMD (S,) without bias for S subsets of x (N, F) and y (M, F), all float64.

    Ones in u (N, S) and v (M, S) mark the items of each subset, equally many on either side. Every kernel value is
    computed once however many subsets it is in, in chunks: memory is a few times 1,024 times N numbers of 8 bytes.

    The estimate is a difference of means of the kernel, so whatever part of k(a, b) depends on a alone, on b alone or
    on neither drops out of it. That part is left out beforehand: far from the origin it is all but a last few digits.
    """
    m, centre = u[:, 0].sum(), y.mean(0)
    p, q = _Side(x - centre, centre, u), _Side(y - centre, centre, v)
    within = _total(p, p) - _diagonal(p) @ u + _total(q, q) - _diagonal(q) @ v
    return within / (m * (m - 1)) - 2 * _total(p, q) / m**2


class _Side:
    """Centred features a (N, F), their part along the centre c in the kernel, a.c / F (N,), and marks (N, S)."""

    def __init__(self, a: Tensor, centre: Tensor, marks: Tensor) -> None:
        self.a, self.marks, self.along = a, marks, a @ centre / len(centre)
        self.base = float(centre.square().mean()) + 1  # the kernel's root at the centre


def _total(p: _Side, q: _Side) -> Tensor:
    """Sum the kernel (S,) over the pairs of each subset."""
    rows = zip(*(torch.split(part, CHUNK) for part in (p.a, p.along, p.marks)), strict=True)
    parts = [
        (_kernel(a @ q.a.T / a.shape[1], along[:, None], q.along, p.base) @ q.marks * marks).sum(0)
        for a, along, marks in rows
    ]
    return torch.stack(parts).sum(0)


def _diagonal(p: _Side) -> Tensor:
    return _kernel(p.a.square().mean(1), p.along, p.along, p.base)


def _kernel(product: Tensor, a: Tensor, b: Tensor, base: float) -> Tensor:
    """Compute (base + a + b + product)^3 without the terms in a or b alone, or in neither.

    With s = base + a + b and t the product it is s^3 + 3 s^2 t + 3 s t^2 + t^3, and s^3 is 3 a b (s + base) and such.
    """
    s = base + a + b
    return product * (product * (product + 3 * s) + 3 * s * s) + 3 * a * b * (s + base)


def _subsets(items: int, size: int, number: int, generator: torch.Generator) -> Tensor:
    """Draw marks (items, number), float64, of random subsets without repetition."""
    marks = torch.zeros(items, number, dtype=torch.float64)
    for column in range(number):
        marks[torch.randperm(items, generator=generator)[:size], column] = 1
    return marks


def _covariance(x: Tensor) -> Tensor:
    """Compute the sample covariance (F, F), also where F is 1."""
    centred = x - x.mean(0)
    return centred.T @ centred / (len(x) - 1)
