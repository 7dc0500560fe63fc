"""Clusters of points, joined while that raises the evidence: how many components a mixture has.

Each cluster is a Gaussian whose mean and covariance have a normal-inverse-Wishart prior, so that its evidence has a
closed form (Murphy, 2007, Conjugate Bayesian analysis of the Gaussian distribution), and a partition has the prior of a
Dirichlet process of concentration 1, as in Bayesian hierarchical clustering (Heller and Ghahramani, 2005).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

FLAT = 1e-9
"""Least prior variance as a share of the data's, whose own is at least this."""


@dataclass(frozen=True)
class Clusters:
    """Clusters of points whose axes fall into B independent blocks of b.

    Attributes:
        sizes: Points of each cluster (K,).
        means: (K, B, b).
        scatters: Sums of products of deviations from the means (K, B, b, b).
    """

    sizes: Tensor
    means: Tensor
    scatters: Tensor

    @classmethod
    def of(cls, blocks: Tensor, shares: Tensor) -> Clusters:
        """The clusters of points (n, B, b) that belong to each with a share (n, K)."""
        sizes, products = shares.sum(0), blocks[..., :, None] * blocks[..., None, :]
        means = (shares.T @ blocks.flatten(1)).view(-1, *blocks.shape[1:]) / sizes[:, None, None]
        sums = (shares.T @ products.flatten(1)).view(-1, *products.shape[1:])
        return cls(sizes, means, sums - sizes[:, None, None, None] * _square(means))

    def __getitem__(self, which: Tensor) -> Clusters:
        return Clusters(self.sizes[which], self.means[which], self.scatters[which])

    def join(self, others: Clusters) -> Clusters:
        """Each cluster and its partner as one."""
        sizes = self.sizes + others.sizes
        share = (others.sizes / sizes)[:, None, None]
        apart = others.means - self.means
        between = (self.sizes * others.sizes / sizes)[:, None, None, None] * _square(apart)
        return Clusters(sizes, self.means + share * apart, self.scatters + others.scatters + between)

    def put(self, i: int, one: Clusters) -> None:
        """Replace a cluster."""
        self.sizes[i], self.means[i], self.scatters[i] = one.sizes[0], one.means[0], one.scatters[0]


@dataclass(frozen=True)
class NormalInverseWishart:
    """The prior of a cluster's mean and covariance in each block: about 0, as wide as the data; about `scale`.

    Attributes:
        scale: (B, b, b), diagonal.
        certainty: Points that the prior of the mean counts as, kappa.
    """

    scale: Tensor
    certainty: float

    @classmethod
    def of(cls, clusters: Clusters) -> NormalInverseWishart:
        """The prior of small clusters: the median of their variances, the variance of all."""
        inside = clusters.scatters.diagonal(dim1=-2, dim2=-1) / clusters.sizes[:, None, None]
        shares = clusters.sizes[:, None, None] / clusters.sizes.sum()
        whole = (shares * (inside + clusters.means.square())).sum(0).clamp(min=FLAT)
        scale = torch.maximum(inside.quantile(0.5, 0), FLAT * whole)
        return cls(torch.diag_embed(scale), float((scale / whole).mean()))

    def evidence(self, clusters: Clusters) -> Tensor:
        """Log evidence of the points of each cluster, and of its size (K,)."""
        n, size = clusters.sizes[:, None], self.scale.shape[-1]
        before, after = self.certainty, self.certainty + n
        degrees = size + 2
        drawn = (before * n / after)[..., None, None] * _square(clusters.means)
        scale = self.scale + clusters.scatters + drawn
        log_evidence = (
            -n * size / 2 * math.log(math.pi)
            + _log_gamma((degrees + n) / 2, size)
            - _log_gamma(torch.full_like(n, degrees / 2), size)
            + degrees / 2 * self.scale.logdet()
            - (degrees + n) / 2 * scale.logdet()
            + size / 2 * (before / after).log()
        )
        return log_evidence.sum(1) + clusters.sizes.lgamma()


def agglomerate(clusters: Clusters, prior: NormalInverseWishart) -> tuple[Tensor, float]:
    """Join the two clusters that gain most, while any two gain.

    Returns the number (K,) of the cluster in which each ends, and the log evidence of the partition.
    """
    clusters = clusters[torch.arange(len(clusters.sizes))]
    own, into = prior.evidence(clusters), torch.arange(len(clusters.sizes))

    def gains_of(i: int) -> Tensor:
        others = ((into == torch.arange(len(into))) & (torch.arange(len(into)) != i)).nonzero()[:, 0]
        gains = torch.full_like(own, -math.inf)
        joined = clusters[others].join(clusters[torch.full_like(others, i)])
        gains[others] = prior.evidence(joined) - own[others] - own[i]
        return gains

    gains = torch.stack([gains_of(i) for i in range(len(into))])
    while (best := int(gains.argmax())) >= 0 and gains.flatten()[best] > 0:
        i, j = divmod(best, len(into))
        clusters.put(i, clusters[torch.tensor([i])].join(clusters[torch.tensor([j])]))
        own[i] = prior.evidence(clusters[torch.tensor([i])])[0]
        into[into == j] = i
        gains[j] = gains[:, j] = -math.inf
        gains[i] = gains[:, i] = gains_of(i)
    left, ends = torch.unique(into, return_inverse=True)
    return ends, float(own[left].sum())


def _square(x: Tensor) -> Tensor:
    """The outer product of vectors (..., b) with themselves."""
    return x[..., :, None] * x[..., None, :]


def _log_gamma(a: Tensor, size: int) -> Tensor:
    """The logarithm of the multivariate gamma function; a of one dimension is quicker."""
    return a.lgamma() if size == 1 else a.mvlgamma(size)
