r"""Drifting Models (Deng, Li, Li, Du and He, 2026, arXiv 2602.04770): generated items drift until they match the data.

.. math::

    L &= E_z\|G(z) - \text{stopgrad}(G(z) + V_{p,q}(G(z)))\|^2 && (6) \\
    V_{p,q}(x) &= E_{y^+ \sim p,\, y^- \sim q}[k(x, y^+)\,k(x, y^-)\,(y^+ - y^-)] / (Z_p Z_q) && (11) \\
    k(x, y) &= \exp(-\|x - y\| / \tau) && (12)

with V as algorithm 2 estimates it: of a batch, each x among the negatives of all others; k is normalised over y and
over x. Swapping p and q turns V round, so that V is 0 where they are equal. Appendix A.6 measures distances in units of
their mean, divides V by its root mean square (18)-(26), and adds V over several tau.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Loss, LossTerm, Step


def distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances (N, M) of rows, each summed directly: the way by products loses those of near points."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


def field(x: Tensor, positive: Tensor, negative: Tensor, temperature: Tensor | float) -> Tensor:
    """V (N, D) at x (N, D), from data (N+, D) and generated items (N, D), in which row i is x_i itself: algorithm 2."""
    itself = 1e6 * torch.eye(len(x), device=x.device)
    far = torch.cat((distances(x, positive), distances(x, negative) + itself), 1) / -temperature
    both = ((far.log_softmax(1) + far.log_softmax(0)) / 2).exp()  # the root of the product, which may underflow
    attracting, repelling = both[:, : len(positive)], both[:, len(positive) :]
    to_data = (attracting * repelling.sum(1, keepdim=True)) @ positive
    return to_data - (repelling * attracting.sum(1, keepdim=True)) @ negative


class Drifting(LossTerm):
    """L of equation (6), or of (26) with `normalize`, over items as they are: the paper's phi is the identity."""

    def __init__(self, temperatures: Sequence[float], normalize: bool) -> None:
        super().__init__()
        self.temperatures, self.normalize = tuple(temperatures), normalize

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.drift}

    def drift(self, step: Step) -> Tensor:
        """The mean squared entry of the distance to the drifted items, which are held fixed."""
        y, x = step.fake.flatten(1), step.x.flatten(1)
        fixed = y.detach()
        if not self.normalize:
            return (y - fixed - _total(field(fixed, x, fixed, tau) for tau in self.temperatures)).square().mean()
        mean = torch.cat((distances(fixed, x), distances(fixed, fixed)), 1).mean()
        drift = _total(_of_unit_size(field(fixed, x, fixed, tau * mean)) for tau in self.temperatures)
        return ((y - fixed) * sqrt(y.shape[1]) / mean - drift).square().mean()  # mean / sqrt(D) is S


def _total(fields: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(fields)).sum(0)


def _of_unit_size(v: Tensor) -> Tensor:
    return v / v.square().mean().sqrt().clamp(min=1e-12)
