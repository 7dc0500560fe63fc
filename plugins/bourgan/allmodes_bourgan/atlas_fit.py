"""The fit of an atlas: clusters by density, refined by EM of a mixture of isotropic Gaussians."""

from __future__ import annotations

import logging
import time
from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from allmodes_bourgan import axes, neighbours

LOGGER = logging.getLogger("allmodes.bourgan")

STEPS = 10
"""Steps of EM."""
SMALLEST = 1024
"""The smallest cluster has this part of all items."""
FEWEST = 8
"""A core point of a cluster has so many others around it, and a cluster so many points at least."""
EMPTY = -1e4
"""Logarithm of an empty chart's share: finite, and beyond what any distance makes up for."""
THINNEST = 1e-4
"""The least width of a chart, in units of the axes."""


class Charts(NamedTuple):
    """A fitted atlas; `Atlas` describes each tensor."""

    mean: Tensor
    std: Tensor
    centres: Tensor
    widths: Tensor
    log_weights: Tensor
    scales: Tensor


class Mixture(NamedTuple):
    """Isotropic Gaussians: centres (K, d), widths (K,), shares (K,)."""

    centres: Tensor
    widths: Tensor
    shares: Tensor


def fit(items: Tensor, charts: int, generator: torch.Generator) -> Charts:
    """Find at most so many charts of items (n, d)."""
    began, of = time.monotonic(), axes.measure(items)
    x = of.standardise(items)
    mixture = _weighted(x, _clusters(x, charts))
    for _ in range(STEPS):
        mixture = _weighted(x, responsibilities(x, mixture))
    scales = responsibilities(x, mixture).T @ neighbours.scales(x) / (mixture.shares * len(x))
    LOGGER.info(f"bourgan.chart: {len(scales)} charts of {len(x)} items in {time.monotonic() - began:.1f} s")
    return _padded(of, mixture, scales, charts)


def responsibilities(x: Tensor, mixture: Mixture) -> Tensor:
    """Probabilities (n, K) that points (n, d) come from each component."""
    apart = torch.cdist(x, mixture.centres, compute_mode="donot_use_mm_for_euclid_dist") / mixture.widths
    return (mixture.shares.log() - x.shape[1] * mixture.widths.log() - apart.square() / 2).softmax(1)


def _clusters(x: Tensor, most: int) -> Tensor:
    """Memberships (n, K) in the largest clusters; all of the items in one where none is found."""
    from sklearn.cluster import HDBSCAN

    smallest = max(FEWEST, len(x) // SMALLEST)
    if len(x) <= smallest:
        return torch.ones(len(x), 1)
    by_density = HDBSCAN(min_cluster_size=smallest, min_samples=FEWEST, copy=True)
    label = torch.from_numpy(by_density.fit_predict(x.numpy()))
    largest = label[label >= 0].bincount().argsort(descending=True, stable=True)[:most]
    return (label[:, None] == largest).float() if len(largest) else torch.ones(len(x), 1)


def _weighted(x: Tensor, memberships: Tensor) -> Mixture:
    """The components that fit best to points (n, d) with memberships (n, K)."""
    mass = memberships.sum(0)  # (K,)
    kept = memberships[:, mass > 1]
    mass = mass[mass > 1]
    centres = kept.T @ x / mass[:, None]
    apart = torch.cdist(x, centres, compute_mode="donot_use_mm_for_euclid_dist")
    widths = (kept * apart.square()).sum(0).div(mass).sqrt() / sqrt(x.shape[1])
    return Mixture(centres, widths.clamp(min=THINNEST), mass / mass.sum())


def _padded(of: axes.Axes, mixture: Mixture, scales: Tensor, charts: int) -> Charts:
    """Charts with empty ones up to their number."""
    empty = charts - len(scales)

    def pad(values: Tensor, value: float) -> Tensor:
        return torch.cat([values, values.new_full((empty, *values.shape[1:]), value)])

    centres, widths = pad(mixture.centres, 0.0), pad(mixture.widths, 1.0)
    return Charts(*of, centres, widths, pad(mixture.shares.log(), EMPTY), pad(scales, 1.0))
