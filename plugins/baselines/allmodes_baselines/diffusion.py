r"""Diffusion-GAN (Wang, Zheng, He, Chen, Zhou; ICLR 2023; arXiv 2206.02262): D sees diffused items, and how far.

.. math::
    D(x_t, t), \quad x_t = \sqrt{\bar\alpha_t}\, x + \sqrt{1 - \bar\alpha_t}\, s\, \epsilon,
    \quad \epsilon \sim N(0, I), \qquad \bar\alpha_t = \prod_{i \le t} (1 - \beta_i)

on data and on what is generated, with :math:`\beta` rising linearly to 0.02 at 1000 steps and t uniform on 0, ..., T.
A discriminator that is too sure of its data makes the chain longer:

.. math:: T \leftarrow T + c\,\text{sign}(r - 0.6) \text{ within } [8, 1000], \qquad r = \text{mean sign } D(x_t, t)

after each update of D. The range of T is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Network, Noisy, Part, Step, Trunk

STEPS, SHORTEST, TARGET = 1000, 8, 0.6


class Diffused(Noisy, Trunk, Part):
    """A trunk that sees its first input after t steps in training, then the others, then t/1000 (B, 1)."""

    alpha: Tensor
    longest: Tensor

    def __init__(self, network: Network, std: float, speed: float) -> None:
        super().__init__(network)
        self.std, self.speed = std, speed
        beta = torch.cat([torch.zeros(1), torch.linspace(1e-4, 0.02, STEPS)])
        self.register_buffer("alpha", (1 - beta).cumprod(0))  # (1001,), 1 at t = 0
        self.register_buffer("longest", torch.tensor(float(SHORTEST)))

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        x, *beside = inputs
        t = x.new_zeros(len(x), 1)
        if self.noise is not None:
            t = (self.noise.uniform("t", len(x), 1) * (self.longest + 1)).floor()
            alpha = self.alpha[t.long()].reshape(-1, *[1] * (x.dim() - 1))
            x = alpha.sqrt() * x + (1 - alpha).sqrt() * self.std * self.noise.normal("noise", *x.shape)
        return super().forward(x, *beside, t / STEPS)

    @override
    def after_update(self, step: Step) -> None:
        r = step.score("real").sign().mean()
        self.longest.copy_((self.longest + self.speed * (r - TARGET).sign()).clamp(SHORTEST, STEPS))
