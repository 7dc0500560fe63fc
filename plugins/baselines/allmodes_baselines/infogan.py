r"""InfoGAN (Chen, Duan, Houthooft, Schulman, Sutskever, Abbeel; NIPS 2016; arXiv 1606.03657).

The generator eats incompressible noise z and a code c: here a category and entries uniform on [-1, 1). The game is
regularised by a lower bound of the mutual information of the code and what is generated from it,

.. math::
    \min_{G, Q} \max_D\ V(D, G) - \lambda L_I(G, Q), \qquad
    L_I = E_{c, y = G(z, c)}[\log Q(c|y)] + H(c) \le I(c; G(z, c)),

with Q a head on D's features: a categorical distribution times a factored Gaussian. As in the authors' code, the bound
also enters D's objective, so that the trunk which Q reads learns to distinguish codes. lambda is the term's weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import NOTHING, Auxiliary, Given, Latent, Loss, LossTerm, Network, Noise, Prior, Step
from allmodes_baselines.modes import one_hot


class InfoLatent(Prior):
    """z = (noise, mode, style): uniform noise, a unit vector for the category, and uniform entries of the code.

    Parts: `code` is z itself, `noise` (n, noise_dim), `mode` (n, modes), and `style` (n, style_dim) where there is one.
    """

    def __init__(self, noise_dim: int = 62, modes: int = 10, style_dim: int = 2) -> None:
        super().__init__()
        self.dim = noise_dim + modes + style_dim
        self.sizes = {"code": self.dim, "noise": noise_dim, "mode": modes} | ({"style": style_dim} if style_dim else {})
        self.register_buffer("weights", torch.full((modes,), 1 / modes), persistent=False)
        self.register_buffer("style_entropy", torch.tensor(style_dim * math.log(2)), persistent=False)

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        # given["mode"] is a number from 0, or one for each draw; any other part is a tensor (n, size)
        spread = self._uniform("noise", noise, n, given)  # (n, noise_dim)
        parts = {"noise": spread, "mode": one_hot(noise, spread, self.sizes["mode"], given)}
        if "style" in self.sizes:
            parts["style"] = self._uniform("style", noise, n, given)  # (n, style_dim)
        z = torch.cat(tuple(parts.values()), 1)  # (n, dim)
        return Latent(z, {"code": z, **parts})

    def _uniform(self, name: str, noise: Noise, n: int, given: Given) -> Tensor:
        held: Tensor | None = given.get(name)
        return 2 * noise.uniform(name, n, self.sizes[name]) - 1 if held is None else held


class Posterior(NamedTuple):
    """Q(c|y): `mode` (B, K) logits of the category; `mean` and `log_var` (B, S) of the style's Gaussian."""

    mode: Tensor
    mean: Tensor
    log_var: Tensor


class QHead(Auxiliary):
    """Q, from D's features (B, F); the Gaussian's variance is 1 unless its logarithm is learned."""

    def __init__(self, network: Network, modes: int, style_dim: int, learned: bool = False) -> None:
        super().__init__()
        self.network, self.sizes = network, [modes, style_dim, style_dim if learned else 0]

    @override
    def forward(self, seen: Tensor) -> Posterior:
        mode, mean, log_var = self.network(seen).split(self.sizes, 1)
        return Posterior(mode, mean, log_var if self.sizes[2] else torch.zeros_like(mean))

    @override
    def estimate(self, output: Posterior) -> Tensor:
        return output.mode  # (B, K)


class Information(LossTerm):
    """-L_I = -(E[log Q(c|y)] + H(c)), for its players; its value is minus a bound of the information, in nats."""

    def __init__(self, auxiliary: str = "q", players: Sequence[str] = ("discriminator", "generator")) -> None:
        super().__init__()
        self.auxiliary, self.players = auxiliary, players

    @override
    def losses(self) -> Mapping[str, Loss]:
        return dict.fromkeys(self.players, self.information)

    def information(self, step: Step) -> Tensor:
        """Averaged over the batch; the distribution of c is given, and does not come to meet Q."""
        bound = log_category(step.estimate(self.auxiliary, "fake", "logits"), step.latent).mean()
        bound = bound + entropy(step.offer("weights").detach())
        if "style" in step.latent.parts:
            style = log_style(step.auxiliary(self.auxiliary, "fake"), step.latent).mean()
            bound = bound + style + step.offer("style_entropy").detach()
        return -bound


def log_category(logits: Tensor, latent: Latent) -> Tensor:
    """log Q(k|y) (B,) of the drawn category k, from logits (B, K)."""
    return (latent.part("mode").detach() * logits.log_softmax(1)).sum(1)


def log_style(q: Posterior, latent: Latent) -> Tensor:
    """log Q(s|y) (B,) of the drawn style s, from Q's Gaussian of it."""
    squares = (latent.part("style").detach() - q.mean).square() / q.log_var.exp()  # (B, S)
    return -0.5 * (squares + q.log_var + math.log(2 * math.pi)).sum(1)


def entropy(weights: Tensor) -> Tensor:
    """H(k) () of a category with these probabilities (K,), in nats."""
    return -torch.xlogy(weights, weights).sum()
