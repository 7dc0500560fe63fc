r"""An atlas of the data: charts, in each of which they are nearly a Gaussian, and soft memberships of points in them.

In units of the data's axes, with shares :math:`\pi_k`, centres :math:`c_k` and covariances :math:`C_k` of the charts,

.. math:: w_k(x) \propto \pi_k N(x; c_k, C_k), \qquad u(x) = \sum_k w_k(x)\, C_k^{-1/2} (x - c_k), \qquad
    S(x) v = \sum_k w_k(x)\, C_k^{1/2} v.

:math:`C_k = \sigma_k^2 I + U_k (\Lambda_k^2 - \sigma_k^2 I) U_k^T` has a few axes U and one width beside them. Roots
are symmetric, so that local coordinates u turn little from a chart to its neighbour. S is the local unit: one step of
it is as long as a standard deviation of the data there, in every direction. Where a chart is bent (`bows`), its
straightened offset stands for x - c_k.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Fitting, Part
from allmodes_bourgan import units
from allmodes_bourgan.atlas_fit import Charts, fit
from allmodes_bourgan.bows import bowed, straighten

KIND = "bourgan"
BOUND = 3.0
"""Local coordinates are bounded at so many standard deviations: beyond them a point is simply outside."""
EMPTY = -1e4
"""Logarithm of an empty chart's share: finite, and beyond what any distance makes up for."""
ROOM = 16
"""There is room for so many charts, or for twice as many, or ..., so that most atlases can be stacked over seeds."""


class Atlas(Part):
    """Charts of the data; fitted once in a composition: an atlas takes what another one has found.

    Attributes:
        mean: The data's mean (d,).
        std: Their standard deviation (d,) along each axis.
        log_shares: Logarithms of the charts' shares (K,); very negative where a chart is empty.
        centres: Means of the charts (K, d) in units of `std`, as are the following.
        axes: Unit vectors (K, d, r).
        lengths: Standard deviations along them (K, r).
        widths: Standard deviation in every other direction (K,).
        bends: What a chart is bent by along its first axis (K, 2, d).
        bows: s and m of its bows (K, 2, 2).
    """

    mean: Tensor
    std: Tensor
    log_shares: Tensor
    centres: Tensor
    axes: Tensor
    lengths: Tensor
    widths: Tensor
    bends: Tensor
    bows: Tensor

    def __init__(self, subsample: int = units.MOST) -> None:
        super().__init__()
        self.subsample, self.fitted = subsample, False
        shapes = {"mean": 1, "std": 1, "log_shares": 1, "centres": 2, "axes": 3, "lengths": 2, "widths": 1}
        for name, dims in shapes.items():
            self.register_buffer(name, torch.ones((1,) * dims))
        self.register_buffer("bends", torch.zeros(1, 2, 1))
        self.register_buffer("bows", torch.zeros(1, 2, 2))

    @override
    def fit(self, fitting: Fitting) -> None:
        if (other := self._fitted_like_this(fitting)) is not None:
            for name, buffer in other.named_buffers():
                setattr(self, name, buffer.clone())
            self.fitted = True
        else:
            assert fitting.noise.generator is not None
            self.hold(fit(units.draw(fitting.data, self.subsample, fitting.noise.generator, KIND)))

    def hold(self, charts: Charts) -> None:
        """Take charts as they were found."""
        shares, *others, bends, bows = charts.gaussians
        room = ROOM
        while room < len(shares):
            room *= 2
        self.mean, self.std = charts.of
        self.log_shares = _padded(shares.log(), room, EMPTY)
        self.centres, self.axes, self.lengths, self.widths = (_padded(values, room, 1.0) for values in others)
        self.bends, self.bows = (_padded(values, room, 0.0) for values in (bends, bows))
        self.fitted = True

    def standardise(self, x: Tensor) -> Tensor:
        """Points (B, d) in units of the data's axes."""
        return (x - self.mean) / self.std

    def locate(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Memberships (B, K) of standardised points (B, d), and their local coordinates (B, d)."""
        apart = y[:, None] - self.centres  # (B, K, d)
        if self.axes.shape[2]:
            apart = straighten(apart, self.axes[..., 0], self.bends, self.bows)
        along = torch.einsum("bkd,kdr->bkr", apart, self.axes)
        w = self._memberships(apart, along)
        bent = torch.einsum("bk,bkr,kdr->bd", w, along * (1 / self.lengths - 1 / self.widths[:, None]), self.axes)
        return w, torch.einsum("bk,bkd->bd", w / self.widths, apart) + bent

    def stretch(self, w: Tensor, v: Tensor) -> Tensor:
        """S v (B, d) in the data's units, of vectors v (B, d) in local units, at points with memberships w (B, K)."""
        along = torch.einsum("bd,kdr->bkr", v, self.axes) * (self.lengths - self.widths[:, None])
        stretched = (w @ self.widths)[:, None] * v + torch.einsum("bk,bkr,kdr->bd", w, along, self.axes)
        return stretched * self.std

    def straighten(self, k: Tensor, x: Tensor) -> Tensor:
        """Where points x (n, d) lie in charts k (n,) that are made straight: (n, d) about their centres."""
        apart = self.standardise(x) - self.centres[k]
        return apart - self._bowed(k, apart)

    def place(self, k: Tensor, v: Tensor) -> Tensor:
        """The points (n, d) that lie at v (n, d) in charts k (n,) that are made straight: the inverse."""
        return self.mean + (self.centres[k] + v + self._bowed(k, v)) * self.std

    def _bowed(self, k: Tensor, v: Tensor) -> Tensor | float:
        """What bends charts k (n,) at v (n, d); nothing bends round ones."""
        return bowed(v, self.axes[k][..., 0], self.bends[k], self.bows[k]) if self.axes.shape[2] else 0.0

    def spread(self, k: Tensor, eps: Tensor) -> Tensor:
        """C_k^{1/2} eps (n, d) of noise eps (n, d) in charts k (n,)."""
        axes, lengths, width = self.axes[k], self.lengths[k], self.widths[k][:, None]
        along = torch.einsum("nd,ndr->nr", eps, axes) * (lengths - width)
        return width * eps + torch.einsum("nr,ndr->nd", along, axes)

    def size(self, k: Tensor) -> Tensor:
        """Standard deviation (n, d) of charts k (n,), before they are bent, along each axis of the data."""
        axes, lengths, width = self.axes[k], self.lengths[k], self.widths[k][:, None]
        return (width**2 + ((lengths**2 - width**2)[:, None] * axes**2).sum(2)).sqrt() * self.std

    def _memberships(self, apart: Tensor, along: Tensor) -> Tensor:
        """Memberships (B, K) of points that lie (B, K, d) from the centres, and so far (B, K, r) along the axes."""
        d, rank = self.axes.shape[1:]
        squares = (along / self.lengths).square().sum(2)
        if rank < d:
            beside = (apart.square().sum(2) - along.square().sum(2)).relu()
            squares = squares + beside / self.widths.square()
        volume = self.lengths.log().sum(1) + (d - rank) * self.widths.log()
        return (self.log_shares - volume - squares / 2).softmax(1)

    def _fitted_like_this(self, fitting: Fitting) -> Atlas | None:
        within = (part for module in fitting.modules.values() for part in module.modules())
        same = (part for part in within if isinstance(part, Atlas) and part.subsample == self.subsample and part.fitted)
        return next(same, None)


def _padded(values: Tensor, room: int, value: float) -> Tensor:
    """Values (K, ...) of charts and, up to `room`, of empty ones."""
    values = values.float()
    return torch.cat([values, values.new_full((room - len(values), *values.shape[1:]), value)])
