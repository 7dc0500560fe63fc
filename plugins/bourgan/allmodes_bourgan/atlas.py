r"""An atlas of the data: charts, each a centre and a width, and soft memberships of points in them.

The charts are the components of a mixture of isotropic Gaussians, in units of the axes,

.. math:: w_k(x) \propto \pi_k s_k^{-d} \exp(-\|x - c_k\|^2 / 2 s_k^2), \qquad
    u(x) = \sum_k w_k(x) \frac{x - c_k}{s_k}.

Nobody says how many: clusters are found by density (HDBSCAN; Campello, Moulavi and Sander, 2013), and refined by steps
of EM. There is room for a fixed number of charts, so that seeds in which different numbers are found can be stacked;
the others stay empty, with weight 0.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Fitting, Part
from allmodes_bourgan import axes
from allmodes_bourgan.atlas_fit import fit

KIND = "bourgan.chart"
BOUND = 3.0
"""Local coordinates are bounded at so many widths: beyond them a point is simply outside."""


class AtlasOptions(NamedTuple):
    """How charts are found; `ChartConfig` describes each option."""

    charts: int = 128
    subsample: int = axes.MOST


class Atlas(Part):
    """Charts of the data; fitted once in a composition: an atlas takes what another with its options has found.

    Attributes:
        mean, std: The data's axes (d,).
        centres: Centres (charts, d) in units of the axes.
        widths: Their standard deviations (charts,).
        log_weights: Logarithms of their shares (charts,); very negative where a chart is empty.
        scales: Local scale of the items in each (charts,).
    """

    mean: Tensor
    std: Tensor
    centres: Tensor
    widths: Tensor
    log_weights: Tensor
    scales: Tensor

    def __init__(self, d: int, options: AtlasOptions) -> None:
        super().__init__()
        self.options, k = options, options.charts
        shapes = {"mean": (d,), "std": (d,), "centres": (k, d), "widths": (k,), "log_weights": (k,), "scales": (k,)}
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape) if name in ("mean", "centres") else torch.ones(shape))
        self.fitted = False

    @override
    def fit(self, fitting: Fitting) -> None:
        assert fitting.noise.generator is not None
        other = self._fitted_like_this(fitting)
        if other is not None:
            found = dict(other.named_buffers())
        else:
            items = axes.draw(fitting.data, self.options.subsample, fitting.noise.generator, KIND)
            found = fit(items, self.options.charts, fitting.noise.generator)._asdict()
        for name, buffer in self.named_buffers():
            buffer.copy_(found[name])
        self.fitted = True

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Points (B, d) in units of the axes, their memberships (B, charts), and local coordinates (B, d)."""
        y = (x - self.mean) / self.std
        apart = (y[:, None] - self.centres) / self.widths[:, None]  # (B, charts, d)
        w = self._memberships(apart)
        u = (w[:, :, None] * apart).sum(1)
        return y, w, BOUND * torch.tanh(u / BOUND)

    def scale(self, x: Tensor) -> Tensor:
        """The local scale (B, d) at points (B, d), along each axis, in the data's units."""
        apart = ((x - self.mean) / self.std)[:, None] - self.centres
        w = self._memberships(apart / self.widths[:, None])
        return (w * self.scales).sum(1, keepdim=True) * self.std

    def _memberships(self, apart: Tensor) -> Tensor:
        """Memberships (B, charts) of points that lie (B, charts, d) widths from the centres."""
        d = apart.shape[2]
        return (self.log_weights - d * self.widths.log() - apart.square().sum(2) / 2).softmax(1)

    def _fitted_like_this(self, fitting: Fitting) -> Atlas | None:
        within = (part for module in fitting.modules.values() for part in module.modules())
        same = (part for part in within if isinstance(part, Atlas) and part.options == self.options and part.fitted)
        return next(same, None)
