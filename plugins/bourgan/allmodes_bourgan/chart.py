r"""Local coordinates for a network: where a point lies, in which charts of the data, and where within them.

A network on raw coordinates must be steep to tell the middle of a narrow mode from its rim. One that sees charts,

.. math:: chart(x) = [x,\ R\, w(x),\ u(x)], \qquad u \text{ bounded at 3,}

sees the rim three units from the middle in every mode. R are codes of the charts, of one length however many there are:
unit vectors where there are few, else random signs, which are nearly orthogonal.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Fitting, Network, Part, Trunk
from allmodes_bourgan.atlas import BOUND, Atlas


class Charted(Part, Trunk):
    """A trunk that sees the chart (B, 2d + code) of its first input, and the others as they are."""

    codes: Tensor

    def __init__(self, network: Network, code: int, subsample: int) -> None:
        super().__init__(network)
        self.atlas, self.code = Atlas(subsample), code
        self.register_buffer("codes", torch.ones(1, code))

    @override
    def fit(self, fitting: Fitting) -> None:
        super().fit(fitting)
        charts = len(self.atlas.log_shares)
        signs = torch.randn(charts, self.code, generator=torch.Generator().manual_seed(0)).sign()
        self.codes = torch.eye(charts, self.code) if charts <= self.code else signs / self.code**0.5

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        x, *beside = inputs
        y = self.atlas.standardise(x.flatten(1))
        w, u = self.atlas.locate(y)
        chart = torch.cat([y, w @ self.codes, BOUND * torch.tanh(u / BOUND)], 1)
        features: Tensor = self.network.trunk(chart, *beside)
        return features
