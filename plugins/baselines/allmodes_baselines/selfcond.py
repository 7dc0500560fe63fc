r"""Self-conditioned GAN (Liu, Wang, Bau, Zhu, Torralba; CVPR 2020; arXiv 2006.10728).

A class-conditional GAN whose classes are clusters of D's own features, found again every so often:

.. math::
    \min_G \max_D\ E_{(x, c)} \log D(x, c) + E_{z, c} \log(1 - D(G(z, c), c)), \qquad
    c(x) = \arg\min_k \|\phi(x) - m_k\|

with :math:`\phi` a copy of D's trunk, frozen when the clusters were found, and c drawn as often as the data have it.
D(., c) is the c-th of K outputs (`Masked`); c is the code of a `joint` discriminator, so the game is any.

As in the authors' code, k-means begins at the means of the old clusters in the new features, and new clusters take the
numbers of the old ones with which they share most items.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Auxiliary, Fitting, Network
from allmodes_baselines.cluster_shares import ClusterShares
from allmodes_baselines.kmeans import cluster
from allmodes_baselines.masked import phi_of
from allmodes_baselines.modes import unit


class Clusters(Auxiliary):
    """c of an item, as a unit vector (B, K): its nearest centre among `centres` (K, F) in the frozen features."""

    centres: Tensor

    def __init__(self, phi: Network, modes: int, pack: int = 1, items: int = 10_000, refit: int = 5000) -> None:
        super().__init__()
        self.phi, self.pack, self.items, self.refit = phi.trunk.requires_grad_(False), pack, items, refit
        self.register_buffer("centres", torch.zeros(modes, phi.feature_dim))

    @override
    def forward(self, seen: Tensor) -> Tensor:
        features = self.features(seen)
        nearness = 2 * features @ self.centres.mT - self.centres.square().sum(1)  # (B, K)
        return unit(nearness.argmax(1), len(self.centres), features.dtype)

    def features(self, items: Tensor) -> Tensor:
        """phi of items (B, F), always as in evaluation; of a packed discriminator, each item beside itself."""
        features: Tensor = self.phi.eval()(torch.cat([items] * self.pack, 1))
        return features

    @override
    def fit(self, fitting: Fitting) -> None:
        generator = fitting.noise.generator
        assert generator is not None
        items = fitting.data.draw(self.items, generator).x
        old = self(items) if fitting.iteration else None  # (n, K)
        self.phi.load_state_dict(phi_of(fitting.modules["discriminator"]).state_dict())
        centres, new = cluster(self.features(items), old, len(self.centres), generator)
        self.centres.copy_(centres)
        prior = fitting.modules["prior"]
        assert isinstance(prior, ClusterShares)
        prior.weights.copy_(new.mean(0))
