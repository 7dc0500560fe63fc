r"""A latent of training items that are redrawn within their charts.

.. math:: e = c_k + \sqrt{1 - h^2}\,(x_i - c_k) + h\, C_k^{1/2} \epsilon, \qquad z = (e, \eta), \qquad
    i \sim U\{1..n\},\ x_i \text{ in chart } k,\ \epsilon, \eta \sim N(0, I).

The mean of every chart is that of its items, whatever h is, and so is the covariance as far as C_k holds it (few axes
and one width): Silverman's correction of the smoothed bootstrap (1986), chart by chart. h near 0 copies
items, h = 1 forgets them and draws from the charts' Gaussians.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import NOTHING, Fitting, Given, Latent, Noise, Prior
from allmodes_bourgan import units
from allmodes_bourgan.atlas import KIND, Atlas
from allmodes_bourgan.atlas_fit import fit


class Redrawn(Prior):
    """Parts: `code`, the redrawn item; `item`, as it was; `scale`, the chart's standard deviation along each axis.

    z (B, d + further) is the code and further noise side by side.

    Attributes:
        atlas: The charts.
        items: Training items (n, d), flattened.
        chart: The chart (n,) of each.
    """

    items: Tensor
    chart: Tensor

    def __init__(self, noise: float = 0.9, further: int = 2, subsample: int = units.MOST) -> None:
        super().__init__()
        self.noise, self.further, self.subsample = noise, further, subsample
        self.atlas = Atlas(subsample)
        self.register_buffer("items", torch.zeros(1, 1))
        self.register_buffer("chart", torch.zeros(1, dtype=torch.long))

    @override
    def fit(self, fitting: Fitting) -> None:
        assert fitting.noise.generator is not None
        charts = fit(units.draw(fitting.data, self.subsample, fitting.noise.generator, KIND))
        self.atlas.hold(charts)
        self.items, self.chart = charts.items, charts.chart
        d = self.items.shape[1]
        self.dim, self.sizes = d + self.further, {"code": d, "item": d, "scale": d}

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        i = (noise.uniform("item", n) * len(self.items)).long().clamp(max=len(self.items) - 1)  # (n,)
        item = self.items[i]
        centre, spread, scale = self.atlas.around(self.chart[i], noise.normal("spread", *item.shape))
        code = centre + sqrt(1 - self.noise**2) * (item - centre) + self.noise * spread
        z = torch.cat([code, noise.normal("further", n, self.further)], 1)
        return Latent(z, {"code": code, "item": item, "scale": scale})
