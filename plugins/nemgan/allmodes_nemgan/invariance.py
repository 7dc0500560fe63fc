r"""An addition to NEMGAN: a moved item is of the same mode, which trains h on real data without labels.

With T a random move (rotation, scale and shift of an image, small noise), p(x) = softmax of h's scores and :math:`\pi`
the prior's modes,

.. math:: \min_h\ E\, KL(p(x) \| p(Tx)) + \lambda\,[E\, H(p(x)) + \mu\, KL(E\,p(x) \| \pi)].

For uniform :math:`\pi` the bracket is, at :math:`\mu = 1`, minus the mutual information of item and mode up to a
constant, which RIM maximises (Krause et al., NIPS 2010); what precedes it is the self-augmented training of IMSAT (Hu
et al., ICML 2017, arXiv 1702.08720) with moves in the place of adversarial noise. NEMGAN has no such term.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, log_softmax
from typing_extensions import override

from allmodes import Loss, LossTerm, Noise, Step
from allmodes_nemgan.losses import kl, log_shares


class Invariance(LossTerm):
    """E KL(p(x) || p(Tx)) + information (E H(p(x)) + balance KL(E p(x) || pi)).

    Args:
        auxiliary: The inverter.
        moves: What T does.
        information: lambda.
        balance: mu.
        shares: `equal` modes, or those of the `prior`.
    """

    def __init__(self, auxiliary: str, moves: Moves, information: float, balance: float, shares: str = "equal") -> None:
        super().__init__()
        self.auxiliary, self.moves = auxiliary, moves
        self.information, self.balance, self.shares = information, balance, shares

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"invariance": self.invariance}

    def invariance(self, step: Step) -> Tensor:
        """The three terms, in nats."""
        moved = step.view("nemgan.moved", lambda: self.moves(step.x, step.noise.at("moves")))
        log_p, log_q = (log_softmax(step.estimate(self.auxiliary, side, "logits"), 1) for side in ("real", moved))
        p = log_p.exp()
        same = (p.detach() * (log_p.detach() - log_q)).sum(1).mean()  # the item as it is is the target
        uncertainty = -(p * log_p).sum(1).mean()
        return same + self.information * (uncertainty + self.balance * kl(p.mean(0), self._log_pi(step, p)))

    def _log_pi(self, step: Step, p: Tensor) -> Tensor:
        if self.shares == "prior":
            return log_shares(step.offer("weights").detach())
        return torch.full_like(p[0].detach(), -math.log(p.shape[1]))


class Moves:
    """Random rotation (degrees), shift (share of the side) and scale (share) of images; noise (std) on any data."""

    def __init__(self, rotation: float = 0.0, shift: float = 0.0, scale: float = 0.0, noise: float = 0.0) -> None:
        self.rotation, self.shift, self.scale, self.noise = rotation, shift, scale, noise

    def __call__(self, x: Tensor, noise: Noise) -> Tensor:
        """Compute Tx, each item moved by itself; outside an image its border is repeated."""
        if self.rotation or self.shift or self.scale:
            grid = torch.einsum("hwk,njk->nhwj", pixel_places(x), self._maps(noise, len(x)))  # (n, H, W, 2)
            x = grid_sample(x, grid, padding_mode="border", align_corners=False)
        return x + self.noise * noise.normal("noise", *x.shape) if self.noise else x

    def _maps(self, noise: Noise, n: int) -> Tensor:
        """Draw affine maps (n, 2, 3) from positions in the moved image to positions in the image."""
        u = 2 * noise.uniform("map", n, 4) - 1
        angle, factor = u[:, 0] * self.rotation * torch.pi / 180, 1 + self.scale * u[:, 1]
        cos, sin = factor * angle.cos(), factor * angle.sin()
        shift = 2 * self.shift * u[:, 2:]  # an image spans -1 to 1
        return torch.stack([torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1)


def pixel_places(x: Tensor) -> Tensor:
    """Coordinates of the pixels, in [-1, 1] from edge to edge, and a 1: (H, W, 3)."""
    height, width = x.shape[2:]
    down, right = ((2 * torch.arange(n, device=x.device) + 1) / n - 1 for n in (height, width))
    v, u = torch.meshgrid(down, right, indexing="ij")
    return torch.stack([u, v, torch.ones_like(u)], -1)
