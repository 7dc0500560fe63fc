r"""BourGAN (Xiao, Zhong, Zheng; NeurIPS 2018; arXiv 1805.07674).

Before training, :math:`m` items are drawn and embedded into L2, so that :math:`\|f(x) - f(x')\|` follows the data's
metric :math:`d(x, x')` (see `embedding`). The latent is a mixture of Gaussians around the embedded points,

.. math:: z = f(x_k) + \sigma \epsilon, \qquad k \sim U\{1..m\},\ \epsilon \sim N(0, I),

whose dimension follows from the embedding. To the generator's objective in any game is added

.. math:: \beta\, E_{z, z'} \big(\log d(G(z), G(z')) - \log s \|z - z'\|\big)^2,

which keeps the distribution of the logarithms of pairwise distances. In the official code :math:`z, z'` come from two
independent batches, :math:`\beta = 0.1`, and :math:`s` is the root of the largest :math:`d(x, x') / \|f(x) - f(x')\|`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import NOTHING, FeatureConfig, Fitting, Given, ItemsConfig, Latent, Loss, LossTerm, Noise, Prior, Step
from allmodes_bourgan import neighbours, units
from allmodes_bourgan.fit import EmbeddingOptions, fit

TINY = 1e-10
"""Smallest distance in a logarithm: gradients stay finite where two samples coincide."""
PIXELS = ItemsConfig()
DRAWN = 1024
"""Number of items and of latents to whose pairs the scale of a distance loss is fitted."""


class MetricMixture(Prior):
    """Gaussians of one width around embedded items, each as likely as the others; fitted to the data.

    Attributes:
        points: Embedded items (m, dim), ordered by mode where there are modes.
        edges: Where each mode begins among the points, and where the last one ends (modes + 1,).
        width: Standard deviation around a point, in the points' units.
        relative: That of each point over it (m,): 1 unless the width is its neighbours'.
        items: The embedded items (m, d), flattened, where their parts are asked for.
        scales: The items' local scale at each (m, d), along each axis.
        ratios: `embedding.Ratios` of the points and of what is drawn around them (2, 4).
    """

    points: Tensor
    edges: Tensor
    width: Tensor
    relative: Tensor
    items: Tensor
    scales: Tensor
    ratios: Tensor

    def __init__(self, options: EmbeddingOptions) -> None:
        super().__init__()
        self.options = options
        self.register_buffer("points", torch.zeros(1, 1))
        self.register_buffer("edges", torch.zeros(2, dtype=torch.long))
        self.register_buffer("width", torch.zeros(()))
        self.register_buffer("relative", torch.ones(1))
        for name in ("items", "scales"):
            self.register_buffer(name, torch.zeros(1, 1))
        self.register_buffer("ratios", torch.zeros(2, 4))

    @property
    def weights(self) -> Tensor:
        """Probabilities (modes,) of the modes: their shares of the points."""
        return self.edges.diff() / len(self.points)

    @override
    def fit(self, fitting: Fitting) -> None:
        self.points, self.edges, width, kept, drawn, self.relative, items = fit(self.options, fitting)
        self.width, self.ratios = torch.tensor(width), torch.tensor([kept, drawn])
        self.dim = self.points.shape[1]
        self.sizes = {"code": self.dim} | ({"mode": self.options.modes} if self.options.modes else {})
        if self.options.items:
            self.items, self.scales = items, local_scales(items)
            self.sizes |= dict.fromkeys(("item", "scale"), items.shape[1])

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        # given["mode"], one number or (n,), is the cluster whose points are drawn around
        begin, end = self._range(given.get("mode"))
        k = (begin + (noise.uniform("component", n) * (end - begin)).long()).minimum(end - 1)  # (n,)
        width = self.width * self.relative[k, None]  # (n, 1)
        z = self.points[k] + width * noise.normal("spread", n, self.points.shape[1])  # (n, dim)
        of_items = {"item": self.items[k], "scale": self.scales[k]} if self.options.items else {}
        return Latent(z, {**({"mode": self._mode(k)} if self.options.modes else {}), **of_items})

    @override
    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # Models of version 0.1 have no width: it was the spec's number, whatever the units of the points.
        if not isinstance(self.options.std, str):
            state_dict.setdefault(f"{prefix}width", torch.tensor(self.options.std))
        if (points := state_dict.get(f"{prefix}points")) is not None:
            state_dict.setdefault(f"{prefix}relative", torch.ones(len(points)))
        for name in ("items", "scales"):
            state_dict.setdefault(f"{prefix}{name}", torch.zeros(1, 1))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _range(self, mode: Any | None) -> tuple[Tensor, Tensor]:
        if mode is None:
            return self.edges[0], self.edges[-1]
        wanted = torch.as_tensor(mode, device=self.edges.device)
        return self.edges[wanted], self.edges[wanted + 1]

    def _mode(self, k: Tensor) -> Tensor:
        """One-hot (n, modes) of the clusters that points belong to."""
        return ((self.edges[:-1] <= k[:, None]) & (k[:, None] < self.edges[1:])).float()


class DistanceLoss(LossTerm):
    """E (log d(G(z), G(z')) - log s ||z - z'||)^2, with d the metric of samples or of their features.

    Distances of latents are those that the data's were embedded with, targets that do not move: a prior that is learned
    is reached through G(z) alone.

    Attributes:
        log_s: log s.
        perfect: What a generator scores that maps each point of a metric mixture to its item; negative where the prior
            is another one, or keeps other distances than the term's (buffers must be finite).
    """

    log_s: Tensor
    perfect: Tensor

    def __init__(
        self,
        metric: Literal["l2", "l1"] = "l2",
        features: FeatureConfig = PIXELS,
        scale: Literal["auto", "max", "sqrt_max", "mean_log"] | float = "auto",
        pairs: Literal["two_batches", "within"] = "two_batches",
    ) -> None:
        super().__init__()
        self.metric, self.space, self.scale, self.pairs = metric, features, scale, pairs
        self.features = nn.Module()
        self.register_buffer("log_s", torch.zeros(()))
        self.register_buffer("perfect", torch.tensor(-1.0))

    @override
    def fit(self, fitting: Fitting) -> None:
        self.features = self.space.build(fitting.data)
        prior = fitting.prior
        self.log_s = self._log_scale(fitting)
        if isinstance(prior, MetricMixture) and self._keeps_distances_of(prior):
            _, _, mean, variance = prior.ratios[1]
            self.perfect = variance + (mean - self.log_s) ** 2

    @override
    def losses(self) -> Mapping[str, Loss]:
        return {"generator": self.distance}

    def distance(self, step: Step) -> Tensor:
        """The mean over pairs of one draw and another, or over all pairs within one draw."""
        x, z = self.features(step.fake), step.latent.code.detach()  # (B, F), (B, dim)
        if self.pairs == "within":
            i, j = torch.triu_indices(step.n, step.n, 1, device=z.device)
            return self.between((x[i], z[i]), (x[j], z[j]))
        other = step.redraw("pair")
        return self.between((x, z), (self.features(other.fake), other.latent.code.detach()))

    def between(self, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> Tensor:
        """Mean squared difference of the logarithms, for pairs of (features (B, F), code (B, dim))."""
        (x, z), (y, w) = one, other
        return (self.log_distance(x, y) - log_l2(z, w) - self.log_s).square().mean()

    def log_distance(self, x: Tensor, y: Tensor) -> Tensor:
        """log d(x, y), row by row (B,)."""
        if self.metric == "l1":
            return (x - y).abs().sum(1).clamp(min=TINY).log()
        return log_l2(x, y)

    @override
    def train(self, mode: bool = True) -> DistanceLoss:
        # The features stay in evaluation mode.
        super().train(mode)
        self.features.eval()
        return self

    def _keeps_distances_of(self, prior: MetricMixture) -> bool:
        """Whether the prior embeds the very distances that this term keeps."""
        return (self.metric, self.space) == (prior.options.metric, prior.options.features)

    def _log_scale(self, fitting: Fitting) -> Tensor:
        """log s: given, from the extremes of the prior's fit, or such that logarithms agree on average."""
        rule, prior = self.scale, fitting.prior
        if not isinstance(rule, str):
            return torch.tensor(rule).log()
        if rule == "mean_log" or not isinstance(prior, MetricMixture):  # DistanceConfig.check refuses other rules
            return self._mean_log_ratio(fitting)
        return prior.ratios[0, 0] / (2 if rule == "sqrt_max" else 1)

    @torch.no_grad()
    def _mean_log_ratio(self, fitting: Fitting) -> Tensor:
        """E log d(x, x') - E log ||z - z'|| over pairs of drawn items and of drawn latents."""
        prior, noise = fitting.prior, fitting.noise
        assert prior is not None
        assert noise.generator is not None
        x = self.features(fitting.data.draw(DRAWN, noise.generator).x).flatten(1)
        z = prior(noise.at("scale"), DRAWN).code
        logs = [d[d > 0].log().mean() for d in (torch.pdist(x, 1 if self.metric == "l1" else 2), torch.pdist(z))]
        return logs[0] - logs[1]


def local_scales(items: Tensor) -> Tensor:
    """The local scale (m, d) at each of the items (m, d), along each axis."""
    of = units.measure(items)
    return neighbours.scales(of.standardise(items))[:, None] * of.std


def log_l2(x: Tensor, y: Tensor) -> Tensor:
    """log ||x - y||, row by row (B,)."""
    return (x - y).square().sum(1).clamp(min=TINY**2).log() / 2
