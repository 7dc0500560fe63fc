r"""Discriminator rejection sampling (Azadi, Olsson, Darrell, Goodfellow and Odena, ICLR 2019).

The best D of the logistic game has the logit :math:`\tilde D(x) = \log p_d(x) / p_g(x)`. With
:math:`\tilde D_M = \max_x \tilde D(x)`, a draw of G that is accepted with probability
:math:`e^{\tilde D(x) - \tilde D_M}` follows :math:`p_d`. That is :math:`\sigma(F(x))` with :math:`\gamma = 0` in

.. math::

    F(x) = \tilde D(x) - \tilde D_M - \log(1 - e^{\tilde D(x) - \tilde D_M - \epsilon}) - \gamma

and a larger or smaller gamma accepts fewer or more.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Fitting, Sampler, Source

EPSILON = 1e-14
BATCH = 1024
FEWEST = 1e-4
"""The share of draws below which a sampler would not come to an end."""


class Rejection(Sampler):
    """Accepts draws of the generator with probability sigma(F)."""

    maximum: Tensor
    gamma: Tensor

    def __init__(self, draws: int = 10_000, percentile: float | None = None) -> None:
        super().__init__()
        self.draws, self.percentile = draws, percentile
        self.register_buffer("maximum", torch.zeros(()))
        self.register_buffer("gamma", torch.zeros(()))

    @override
    def fit(self, fitting: Fitting) -> None:
        """Look for the largest score, and for gamma, among draws of the generator."""
        _, scores = judged(Source.of(fitting), self.draws)
        self.maximum.copy_(scores.max())
        self.gamma.zero_()
        if self.percentile is not None:
            self.gamma.copy_(self.logit(scores).quantile(self.percentile / 100))

    @override
    def forward(self, model: Source, n: int) -> Tensor:
        kept, accepted, drawn = list[Tensor](), 0, 0
        while accepted < n:
            x, scores = judged(model, BATCH)
            # One number for each pack: its items share the score and are accepted together.
            u = model.noise().uniform("accept", len(x)).reshape(-1)[:: model.pack].repeat_interleave(model.pack)
            kept.append(x[u[: len(x)] < self.logit(scores).sigmoid()])
            accepted, drawn = accepted + len(kept[-1]), drawn + len(x)
            if accepted < FEWEST * (drawn - 1 / FEWEST):
                raise ValueError(f"{accepted} of {drawn:,} draws were accepted: set a percentile, such as 80")
        return torch.cat(kept)[:n]

    def logit(self, scores: Tensor) -> Tensor:
        """F of scores (B,); those above the largest that the fit has seen count as the largest."""
        below = (scores - self.maximum).clamp(max=0)
        return below - (-torch.expm1(below - EPSILON)).log() - self.gamma


def judged(model: Source, n: int) -> tuple[Tensor, Tensor]:
    """Draw n items (n, *shape) and their scores (n,)."""
    latent = model.latent(n)
    x = model.items(latent)
    return x, model.score(x, latent)
