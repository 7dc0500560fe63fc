r"""A truncated latent (the truncation trick of BigGAN: Brock, Donahue, Simonyan; ICLR 2019; arXiv 1809.11096).

What lies beyond a bound c is drawn again. Whole latents, so that any prior keeps what its entries and parts have to
do with each other,

.. math:: z \sim p(z \mid \max_j |z_j| \le c),

or single entries, as in BigGAN, for priors of independent ones. An entry of N(0, 1) then has the variance
:math:`1 - 2 c \phi(c) / (2 \Phi(c) - 1)`. The number of draws is fixed, since nothing may depend on values: where all
of them lie beyond the bound the smallest is taken.
"""

from __future__ import annotations

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import NOTHING, Fitting, Given, Latent, Noise, Prior


class Truncated(Prior):
    """A prior of any kind within a bound; in training only where `training_too`."""

    def __init__(self, prior: Prior, bound: float, draws: int, entries: bool, training_too: bool) -> None:
        super().__init__()
        self.prior, self.bound, self.draws = prior, bound, draws
        self.entries, self.training_too = entries, training_too
        self.interpolation = prior.interpolation

    @override
    def fit(self, fitting: Fitting) -> None:
        super().fit(fitting)
        self.dim, self.sizes = self.prior.dim, self.prior.sizes

    @override
    def offer(self, name: str) -> Tensor:
        offered: Tensor = self.prior.offer(name)
        return offered

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        if self.training and not self.training_too:
            latent: Latent = self.prior(noise, n, given)
            return latent
        drawn = [self.prior(noise.at(f"draw{i}"), n, given) for i in range(self.draws)]
        z = torch.stack([latent.z for latent in drawn])  # (draws, n, dim)
        parts = {name: torch.stack([latent.parts[name] for latent in drawn]) for name in drawn[0].parts}
        if self.entries:
            return Latent(
                self._first(z, z.abs()), {name: self._first(part, part.abs()) for name, part in parts.items()}
            )
        size = z.abs().amax(2, keepdim=True)  # (draws, n, 1)
        return Latent(self._first(z, size), {name: self._first(part, size) for name, part in parts.items()})

    def _first(self, values: Tensor, sizes: Tensor) -> Tensor:
        """For each item or entry, the first draw within the bound, or the smallest: (n, dim)."""
        within = sizes <= self.bound
        best = torch.where(within.any(0), within.to(torch.uint8).argmax(0), sizes.argmin(0))  # (n, dim or 1)
        return values.gather(0, best.expand(values.shape[1:])[None])[0]
