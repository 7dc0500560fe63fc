r"""Local coordinates for a network: where a point lies, in which clusters of the data, and where within them.

A network on raw coordinates must be steep to tell the middle of a narrow mode from its rim. One that sees charts,

.. math:: chart(x) = [x,\ w_1(x), \dots, w_K(x),\ u(x)],

sees the rim three units from the middle in every mode.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Network, Trunk
from allmodes_bourgan.atlas import Atlas


class Charted(Trunk):
    """A trunk that sees the chart (B, 2d + charts) of its first input, and the others as they are."""

    def __init__(self, network: Network, atlas: Atlas) -> None:
        super().__init__(network)
        self.atlas = atlas

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        x, *beside = inputs
        return super().forward(torch.cat(self.atlas(x.flatten(1)), 1), *beside)
