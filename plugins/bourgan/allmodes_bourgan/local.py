r"""A latent with the data's shape and its local width: a training item plus noise as wide as its neighbours are far.

.. math:: e = x_i + w_i \epsilon, \qquad z = (e, \eta), \qquad i \sim U\{1..n\},\ \epsilon, \eta \sim N(0, I),

per axis in units of its standard deviation. That alone, without a network, is a smoothed bootstrap (Silverman, 1986;
the variable kernel of Breiman, Meisel and Purcell, 1977): in the plane it has every mode at nearly its width; in many
dimensions it widens them, which a game has to mend.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import NOTHING, Fitting, Given, Latent, Noise, Prior
from allmodes_bourgan import neighbours, units

KIND = "bourgan.local"


class Local(Prior):
    """Items with their local widths; parts: `code`, the item with noise, `item`, without it, and `scale`, its unit.

    z (B, d + further) is the code and further noise side by side.

    Attributes:
        items: Training items (n, d), flattened.
        widths: Standard deviation (n, d) of the noise around each, along each axis.
        scales: Local scale (n, d) at each, along each axis.
    """

    items: Tensor
    widths: Tensor
    scales: Tensor

    def __init__(self, subsample: int = units.MOST, further: int = 2) -> None:
        super().__init__()
        self.subsample, self.further = subsample, further
        for name in ("items", "widths", "scales"):
            self.register_buffer(name, torch.zeros(1, 1))

    @override
    def fit(self, fitting: Fitting) -> None:
        assert fitting.noise.generator is not None
        self.items = units.draw(fitting.data, self.subsample, fitting.noise.generator, KIND)
        of = units.measure(self.items)
        x = of.standardise(self.items)
        self.widths = neighbours.widths(x)[:, None] * of.std
        self.scales = neighbours.scales(x)[:, None] * of.std
        d = self.items.shape[1]
        self.dim, self.sizes = d + self.further, {"code": d, "item": d, "scale": d}

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        i = (noise.uniform("item", n) * len(self.items)).long().clamp(max=len(self.items) - 1)  # (n,)
        item, scale = self.items[i], self.scales[i]  # (n, d)
        code = item + self.widths[i] * noise.normal("spread", *item.shape)
        z = torch.cat([code, noise.normal("further", n, self.further)], 1)
        return Latent(z, {"code": code, "item": item, "scale": scale})
