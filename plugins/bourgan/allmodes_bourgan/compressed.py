r"""A latent that is as large as a few charts of the data, and knows no training item.

.. math:: e = c_k + C_k^{1/2} \epsilon, \qquad z = (e, \eta), \qquad k \sim \pi,\ \epsilon, \eta \sim N(0, I).

With the atlas' own charts it is the latent of redrawn items (`redrawn`) at h = 1. With m charts, which k-means cuts out
of all items at once, it is as coarse as one likes: m shares and means, and a few axes and widths for each.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import NOTHING, Fitting, Given, Latent, Noise, Prior
from allmodes_bourgan import units
from allmodes_bourgan.atlas import KIND, Atlas
from allmodes_bourgan.atlas_fit import compress, fit


class Compressed(Prior):
    """Parts: `code`, the draw; `scale`, the chart's standard deviation along each axis. z is (B, d + further).

    Attributes:
        atlas: The charts.
        numbers: How many numbers they are made of.
    """

    numbers: Tensor

    def __init__(self, charts: int | None = None, further: int = 2, subsample: int = units.MOST) -> None:
        super().__init__()
        self.charts, self.further = charts, further
        self.atlas = Atlas(subsample)
        self.register_buffer("numbers", torch.zeros((), dtype=torch.long))

    @override
    def fit(self, fitting: Fitting) -> None:
        assert fitting.noise.generator is not None
        items = units.draw(fitting.data, self.atlas.subsample, fitting.noise.generator, KIND)
        charts = fit(items) if self.charts is None else compress(items, self.charts)
        self.atlas.hold(charts)
        self.atlas.fitted = self.charts is None  # networks share the atlas' own charts alone
        values = (*charts.gaussians, *charts.of)  # bends are 0 where charts are straight, and no numbers
        self.numbers = torch.tensor(sum(value.numel() for value in values if value.any()))
        d = items.shape[1]
        self.dim, self.sizes = d + self.further, {"code": d, "scale": d}

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        edges = self.atlas.log_shares.exp().cumsum(0)
        k = (edges <= noise.uniform("chart", n)[:, None] * edges[-1]).sum(1)  # (n,)
        code = self.atlas.place(k, self.atlas.spread(k, noise.normal("spread", n, len(self.atlas.mean))))
        return Latent(
            torch.cat([code, noise.normal("further", n, self.further)], 1), {"code": code, "scale": self.atlas.size(k)}
        )
