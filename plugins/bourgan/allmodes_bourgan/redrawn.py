r"""A latent of training items that are redrawn within their charts.

.. math:: e = c_k + \sqrt{1 - h^2}\,(x_i - c_k) + h\, C_k^{1/2} \epsilon, \qquad z = (e, \eta), \qquad
    i \sim U\{1..n\},\ x_i \text{ in chart } k,\ \epsilon, \eta \sim N(0, I).

The mean of every chart is that of its items, whatever h is, and so is the covariance as far as C_k holds it (few axes
and one width): Silverman's correction of the smoothed bootstrap (1986), chart by chart. h near 0 copies
items, h = 1 forgets them.

Along the axes that a chart has of its own, data need not be Gaussian: a piece of a curve ends where the next begins,
and the tails of a Gaussian leave the curve. So in place of the above, coordinate a along the axis is that of another
item j of the chart, for each axis another one,

.. math:: e_a = \sqrt{1 - b^2}\, x_{j, a} + b\, \lambda_a \epsilon_a, \qquad b = h B n_k^{-1/5},

with n_k the items of the chart; it is that of item i itself in (1 - h)^2 of the draws. What lies beyond the chart's
first and last item is reflected there (Silverman, 1986, 2.10), so that a segment ends where it does. Where a chart is a
whole cluster that is clearly a Gaussian along the axis (`segment`), the first formula holds: it has no ends.

A bent chart is straightened for all this, and bent again (`bows`).
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor
from torch.nn.functional import pad
from typing_extensions import override

from allmodes import NOTHING, Fitting, Given, Latent, Noise, Prior
from allmodes_bourgan import segment, units
from allmodes_bourgan.atlas import KIND, Atlas
from allmodes_bourgan.atlas_fit import fit
from allmodes_bourgan.cells import PER_AXIS

BANDWIDTH = 0.72
"""B: two thirds of what Silverman's rule takes, which is meant for Gaussians and rounds off what ends sharply."""


class Redrawn(Prior):
    """Parts: `code`, the redrawn item; `item`, as it was; `scale`, the chart's standard deviation along each axis.

    z (B, d + further) is the code and further noise side by side.

    Attributes:
        atlas: The charts.
        items: Training items (n, d), flattened, chart by chart.
        chart: The chart (n,) of each.
        places: Their coordinates (n, r) along the axes of their chart, in units of the data's axes.
        ends: The least and the greatest of these (K, 2, r) in each chart.
        own: Along which axes (K, r) the charts' coordinates are those of other items.
        first: The first item (K,) of each chart.
        counts: Items (K,) of each chart.
    """

    items: Tensor
    chart: Tensor
    places: Tensor
    ends: Tensor
    own: Tensor
    first: Tensor
    counts: Tensor

    def __init__(self, noise: float = 0.9, further: int = 2, subsample: int = units.MOST) -> None:
        super().__init__()
        self.noise, self.further, self.subsample = noise, further, subsample
        self.atlas = Atlas(subsample)
        for name, dims in {"items": 2, "places": 2, "ends": 3}.items():
            self.register_buffer(name, torch.zeros((1,) * dims))
        for name in ("chart", "first", "counts"):
            self.register_buffer(name, torch.zeros(1, dtype=torch.long))
        self.register_buffer("own", torch.zeros(1, 1, dtype=torch.bool))

    @override
    def fit(self, fitting: Fitting) -> None:
        assert fitting.noise.generator is not None
        charts = fit(units.draw(fitting.data, self.subsample, fitting.noise.generator, KIND))
        self.atlas.hold(charts)
        self.chart, order = charts.chart.sort(stable=True)
        self.items = charts.items[order]
        apart = self.atlas.straighten(self.chart, self.items)
        self.places = torch.einsum("nd,ndr->nr", apart, self.atlas.axes[self.chart])
        self.ends = torch.stack([self._of_each("amin", self.places), self._of_each("amax", self.places)], 1)
        self.counts = self.chart.bincount(minlength=len(self.atlas.log_shares))
        self.own = self._own(charts.whole)
        self.first = self.counts.cumsum(0) - self.counts
        d = self.items.shape[1]
        self.dim, self.sizes = d + self.further, {"code": d, "item": d, "scale": d}

    def _of_each(self, which: str, numbers: Tensor) -> Tensor:
        """The least, the greatest or the mean (K, r) of the numbers (n, r) of each chart's items."""
        none = torch.zeros(len(self.atlas.log_shares), numbers.shape[1])
        return none.scatter_reduce(0, self.chart[:, None].expand_as(numbers), numbers, which, include_self=False)

    def _own(self, whole: Tensor) -> Tensor:
        """The axes (K, r) of charts of enough items that are not whole and clearly Gaussian along them."""
        n, (lowest, highest) = self.counts[:, None].float(), self.ends.unbind(1)
        likelier = segment.compare(n, highest - lowest, n * self._of_each("mean", self.places.square()))
        gaussian = pad(whole, (0, len(n) - len(whole)))[:, None] & (likelier > segment.CLEARLY)
        return (torch.arange(self.places.shape[1]) < self.counts[:, None] // PER_AXIS) & ~gaussian

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        i = (noise.uniform("item", n) * len(self.items)).long().clamp(max=len(self.items) - 1)  # (n,)
        item, k = self.items[i], self.chart[i]
        eps = noise.normal("spread", *item.shape)
        apart = sqrt(1 - self.noise**2) * self.atlas.straighten(k, item) + self.noise * self.atlas.spread(k, eps)
        code = self.atlas.place(k, apart + self._along(i, k, eps, apart, noise))
        z = torch.cat([code, noise.normal("further", n, self.further)], 1)
        return Latent(z, {"code": code, "item": item, "scale": self.atlas.size(k)})

    def _along(self, i: Tensor, k: Tensor, eps: Tensor, apart: Tensor, noise: Noise) -> Tensor:
        """What changes offsets (n, d) from centres along the charts' own axes to those of other items."""
        axes, lengths, counts = self.atlas.axes[k], self.atlas.lengths[k], self.counts[k, None]
        which = (noise.uniform("others", len(i), axes.shape[2]) * counts).long().minimum(counts - 1)  # (n, r)
        kept = noise.uniform("kept", len(i), 1) < (1 - self.noise) ** 2
        place = torch.where(kept, self.places[i], self.places.gather(0, self.first[k, None] + which))  # (n, r)
        width = self.noise * BANDWIDTH * counts.float() ** -0.2  # (n, 1)
        place = (1 - width**2).sqrt() * place + width * lengths * torch.einsum("nd,ndr->nr", eps, axes)
        lowest, highest = self.ends[k].unbind(1)  # (n, r)
        place = highest - (highest - lowest - (place - lowest).abs()).abs()
        change = torch.where(self.own[k], place - torch.einsum("nd,ndr->nr", apart, axes), 0.0)
        return torch.einsum("nr,ndr->nd", change, axes)
