r"""Instance noise (Sønderby et al., ICLR 2017, arXiv 1610.04490; Arjovsky and Bottou, ICLR 2017, arXiv 1701.04862).

D sees items with normal noise, which makes distributions overlap that would lie on separate manifolds:

.. math:: D(x + \sigma_t \epsilon), \quad \epsilon \sim N(0, I), \qquad \sigma_t = \sigma_0 \max(1 - t / T, 0)

on data and on what is generated; t counts iterations.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Network, Noisy, Part, Step, Trunk


class Blurred(Noisy, Trunk, Part):
    """A trunk whose first input has noise in training, of standard deviation `std` ()."""

    std: Tensor

    def __init__(self, network: Network, std: float, over: int) -> None:
        super().__init__(network)
        self.first, self.over = std, over
        self.register_buffer("std", torch.tensor(std))

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        x, *beside = inputs
        if self.noise is not None:
            x = x + self.std * self.noise.normal("noise", *x.shape)
        return super().forward(x, *beside)

    @override
    def after_update(self, step: Step) -> None:
        self.std.copy_(self.first * (1 - (step.iteration + 1) / self.over).clamp(0))
