"""A Gaussian mixture by expectation maximisation, which begins with clusters that agglomeration finds."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from allmodes.builtin.agglomeration import Clusters, NormalInverseWishart, agglomerate

CLUSTERS = 128
"""Clusters that agglomeration begins with."""
STEPS = 50
"""Steps of EM at most."""
GAIN = 1e-4
"""EM ends once a step raises the mean log likelihood by less."""


@dataclass(frozen=True)
class GaussianMixture:
    """A mixture of K Gaussians in C dimensions.

    Attributes:
        weights: (K,).
        means: (K, C).
        roots: Lower Cholesky factors of the covariances (K, C, C).
    """

    weights: Tensor
    means: Tensor
    roots: Tensor

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw n points (n, C)."""
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(n, self.means.shape[1], 1, generator=generator, dtype=torch.float64)
        return self.means[k] + (self.roots[k] @ noise)[..., 0]

    def log_joint(self, x: Tensor) -> Tensor:
        """Log density of points (n, C) and their components: (n, K)."""
        return torch.stack([self._log_joint(x, k) for k in range(len(self.weights))], 1)

    def _log_joint(self, x: Tensor, k: int) -> Tensor:
        root = self.roots[k]
        residual = torch.linalg.solve_triangular(root, (x - self.means[k]).T, upper=False)
        log_norm = root.diagonal().log().sum() + x.shape[1] / 2 * math.log(2 * math.pi)
        joint: Tensor = self.weights[k].log() - log_norm - residual.square().sum(0) / 2
        return joint


@dataclass(frozen=True)
class Partition:
    """Points (n, B, b), their components (n,), and the log evidence that these have under a prior."""

    blocks: Tensor
    labels: Tensor
    evidence: float
    prior: NormalInverseWishart

    @property
    def shares(self) -> Tensor:
        """One for the component of each point, else zero (n, K)."""
        return one_hot(self.labels).double()


def fit_mixture(x: Tensor, generator: torch.Generator) -> GaussianMixture:
    """Fit a mixture to centred points (n, C) in float64; the number of components is found.

    Clusters of k-means are joined while that raises the evidence, once with full and once with diagonal covariances:
    the partition of more evidence begins EM. Where more than half of the clusters are left there may be further
    components, and four times as many clusters are tried, of at least 2 C + 2 points in the mean.
    """
    clusters, most = CLUSTERS, max(1, len(x) // (2 * x.shape[1] + 2))
    while True:
        labels = _k_means(x, min(clusters, most), generator)
        forms = x[:, None, :], x[:, :, None]  # all axes in one block, each in its own
        start = max((_join(blocks, labels) for blocks in forms), key=lambda found: found.evidence)
        if clusters >= most or 2 * int(start.labels.max() + 1) <= clusters:
            return _maximise(x, start)
        clusters *= 4


def _join(blocks: Tensor, labels: Tensor) -> Partition:
    """Join clusters of points (n, B, b), by their labels (n,)."""
    small = Clusters.of(blocks, one_hot(labels).double())
    prior = NormalInverseWishart.of(small)
    into, evidence = agglomerate(small, prior)
    return Partition(blocks, into[labels], evidence, prior)


def _maximise(x: Tensor, start: Partition) -> GaussianMixture:
    """EM; in covariances the prior's scale counts as one further point, so that none vanishes."""
    shares, before = start.shares, -math.inf
    for _ in range(STEPS):
        found = Clusters.of(start.blocks, shares)
        inner = (found.scatters + start.prior.scale) / (found.sizes + 1)[:, None, None, None]
        mixture = GaussianMixture(found.sizes / len(x), found.means.flatten(1), _roots(inner))
        joint = mixture.log_joint(x)
        shares, now = joint.softmax(1), float(joint.logsumexp(1).mean())
        if now - before < GAIN:
            break
        before = now
    return mixture


def _roots(covariances: Tensor) -> Tensor:
    """Cholesky factors (K, C, C) of covariances (K, B, b, b) in blocks: one of all axes, or one of each."""
    inner: Tensor = torch.linalg.cholesky(covariances)
    return inner.flatten(1, 2) if inner.shape[1] == 1 else torch.diag_embed(inner[..., 0, 0])


def _k_means(x: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """The cluster of each point (n,)."""
    from sklearn.cluster import KMeans

    seed = int(torch.randint(2**31, (), generator=generator))
    with warnings.catch_warnings(action="ignore"):  # of fewer different points than clusters
        found = KMeans(clusters, n_init=1, max_iter=5, random_state=seed).fit_predict(x.numpy())
    _, labels = torch.unique(torch.from_numpy(found).long(), return_inverse=True)
    numbered: Tensor = labels
    return numbered
