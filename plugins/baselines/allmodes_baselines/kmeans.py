"""Clusters that keep their numbers from one k-means to the next (self-conditioned GAN)."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from torch import Tensor

from allmodes_baselines.modes import unit


def cluster(features: Tensor, old: Tensor | None, k: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Centres (k, F) of features (n, F), and each item's cluster as a unit vector (n, k).

    `old` are the clusters so far, as unit vectors, where there are any: k-means begins at their means, and new clusters
    take the numbers of the old ones with which they share most items.
    """
    seed = int(torch.randint(2**31, (1,), generator=generator, device=generator.device))
    points, n_init = features.double().cpu().numpy(), 10 if old is None else 1
    init = "k-means++" if old is None else means(features, old).double().cpu().numpy()
    fitted = KMeans(k, init=init, n_init=n_init, random_state=seed).fit(points)
    centres = torch.as_tensor(fitted.cluster_centers_).to(features)
    new = unit(torch.as_tensor(fitted.labels_, device=features.device), k, features.dtype)
    order = torch.arange(k) if old is None else match(old, new)
    return centres[order], new[:, order]


def means(features: Tensor, clusters: Tensor) -> Tensor:
    """The mean (k, F) of each cluster's features; an empty cluster begins at an item instead."""
    counts = clusters.sum(0)[:, None]  # (k, 1)
    return torch.where(counts > 0, clusters.mT @ features / counts.clamp_min(1), features[: len(counts)])


def match(old: Tensor, new: Tensor) -> Tensor:
    """For each old cluster the number of the new one (k,), so that as many items as possible keep their cluster."""
    shared = old.mT @ new  # (k, k): items in both
    return torch.as_tensor(linear_sum_assignment(shared.cpu().numpy(), maximize=True)[1], device=new.device)
