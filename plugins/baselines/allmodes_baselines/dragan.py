r"""DRAGAN (Kodali, Abernethy, Hays, Kira, 2017; arXiv 1705.07215): D should be about linear around data.

.. math:: \lambda E_{x, \delta} (\|\nabla D(x + \delta)\|_2 - 1)^2

As in the authors' code, :math:`\delta = \alpha \cdot s \cdot \text{std}(x) \cdot u` with s = 1/2, the standard
deviation over all entries of the batch, u uniform on [0, 1) for each entry and :math:`\alpha` for each item; the
paper writes :math:`\delta \sim N(0, cI)`.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from typing_extensions import override

from allmodes import Loss, LossTerm, Step

NAME = "baselines.dragan"
"""The view's name, and the place of its noise."""


class Dragan(LossTerm):
    """lambda E[(||grad D|| - 1)^2] around data, for any game."""

    def __init__(self, strength: float = 10.0, scale: float = 0.5) -> None:
        super().__init__()
        self.strength, self.scale = strength, scale

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"discriminator": self.discriminator}

    def discriminator(self, step: Step) -> Tensor:
        """The slope's squared distance from 1, over all that one score sees."""
        around = step.view(NAME, lambda: self.perturbed(step))
        slope = (step.squared_gradient_norm(around) + 1e-12).sqrt()  # (B/pack,); the root has no slope at 0
        return self.strength * (slope - 1).square().mean()

    def perturbed(self, step: Step) -> Tensor:
        """x + delta (B, *shape)."""
        noise = step.noise.at(NAME)
        alpha = noise.uniform("alpha", step.n, *[1] * (step.x.dim() - 1))
        reach = self.scale * step.x.std(correction=0)
        return step.x + alpha * reach * noise.uniform("u", *step.x.shape)
