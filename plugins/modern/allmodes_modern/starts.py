"""Where experts begin: at items of the data that are far from each other."""

from __future__ import annotations

import torch
from torch import Tensor

from allmodes import DataError, Fitting, training_items

MOST = 8192
"""Items that experts begin among."""


def start(m: int, fitting: Fitting) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Centres (m, d) and widths (m,) of experts in units of the data's axes, and the axes' means and stds (d,)."""
    assert fitting.noise.generator is not None
    x = training_items(fitting.data, MOST, fitting.noise.generator).x.cpu().flatten(1)
    mean, std = axes(x)
    seed = int(torch.randint(2**31, (), generator=fitting.noise.generator))
    return *choose((x - mean) / std, m, seed), mean, std


def axes(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (d,) of rows (n, d); 1 along an axis on which they do not vary."""
    std = x.std(0, correction=0)
    return x.mean(0), torch.where(std > 0, std, 1.0)


def choose(x: Tensor, m: int, seed: int) -> tuple[Tensor, Tensor]:
    """m of the points x (n, d), by k-means++, and the width (m,) of those to which each is the nearest.

    Raises DataError where there are fewer points.
    """
    from sklearn.cluster import kmeans_plusplus

    if m > len(x):
        raise DataError(f"modern.switch: {m} experts begin at as many items, and there are {len(x)}: set fewer experts")
    centres = torch.from_numpy(kmeans_plusplus(x.double().numpy(), m, random_state=seed)[0]).to(x)
    nearest = torch.cdist(x, centres, compute_mode="donot_use_mm_for_euclid_dist").min(1)
    squares = x.new_zeros(m).index_add(0, nearest.indices, nearest.values.square())
    variances = squares / nearest.indices.bincount(minlength=m).clamp(min=1) / x.shape[1]
    return centres, torch.where(variances > 0, variances, variances.mean().clamp(min=1e-12)).sqrt()
