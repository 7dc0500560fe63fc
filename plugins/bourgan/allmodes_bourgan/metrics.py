"""Distributions of the logarithms of pairwise distances: of data, of latents, of samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Evaluation, FeatureConfig, ItemsConfig, Metric, extract_features, seeded
from allmodes_bourgan.distances import faiss_distance
from allmodes_bourgan.embedding import Ratios
from allmodes_bourgan.model import DistanceLoss, MetricMixture

BINS = 120
PIXELS = ItemsConfig()


class LogDistances(Metric):
    """How the logarithms of pairwise distances of samples differ from those of held-out items.

    - `log_distance_w1`: 1-Wasserstein distance of the two distributions, in nats: by which factor, as a logarithm,
      distances are wrong on average. Above zero even for a perfect sampler.

    Beside it, where the spec has them: `latent_dim`, `distortion` of the metric mixture's points and
    `distortion_drawn` of what is drawn around them, and `distance_loss_perfect`, what the distance loss would be if
    each embedded point were mapped to its own item.
    """

    def __init__(
        self, key: str = "log_distance_w1", metric: str = "l2", features: FeatureConfig = PIXELS, samples: int = 2000
    ) -> None:
        self.key, self.metric, self.features, self.samples = key, metric, features, samples

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return {self.key: self._w1(evaluation)} | facts(evaluation)

    @override
    def floor(self, evaluation: Evaluation) -> dict[str, float]:
        return {self.key: self._w1(evaluation)}

    @override
    def figure(self, evaluation: Evaluation) -> Any:
        # Histograms of the logarithms: of held-out items, of latents at the scale of the distance loss, of samples.
        logs = {"data": self._log_distances(evaluation, evaluation.real.x)}
        if evaluation.samples.isfinite().all():
            logs["generated"] = self._log_distances(evaluation, evaluation.samples)
        if (embedded := self._latent(evaluation)) is not None:
            logs["latent, scaled"] = embedded
        return draw(logs, self.metric)

    def _w1(self, evaluation: Evaluation) -> float:
        if not evaluation.samples.isfinite().all():
            return math.nan
        from scipy.stats import wasserstein_distance

        x, y = (self._log_distances(evaluation, items) for items in (evaluation.samples, evaluation.real.x))
        return float(wasserstein_distance(x.numpy(), y.numpy())) if len(x) and len(y) else math.nan

    def _log_distances(self, evaluation: Evaluation, items: Tensor) -> Tensor:
        space = self.feature_cache.module(self.features, evaluation.data)
        seen = extract_features(space, items[: self.samples], evaluation.data.device).flatten(1)
        return log_pairs(faiss_distance(self.metric)(seen, seen))

    def _latent(self, evaluation: Evaluation) -> Tensor | None:
        """log s ||z - z'||, if the spec has a distance loss, which sets the scale s."""
        terms = [module for module in evaluation.modules.values() if isinstance(module, DistanceLoss)]
        if not terms:
            return None
        z = evaluation.modules["prior"](seeded(0, terms[0].log_s.device), self.samples).code.cpu()
        return log_pairs(faiss_distance("l2")(z, z)) + terms[0].log_s.cpu()


def facts(evaluation: Evaluation) -> dict[str, float]:
    """Read the numbers that fits recorded."""
    found: dict[str, float] = {}
    for module in evaluation.modules.values():
        if isinstance(module, MetricMixture):
            # Models of version 0.1 hold the ratios of the points alone.
            both = [Ratios(*row).distortion for row in module.ratios.reshape(-1, 4).tolist()]
            names = ("distortion", "distortion_drawn")
            found |= {"latent_dim": float(module.dim)} | dict(zip(names, both, strict=False))
        if isinstance(module, DistanceLoss) and module.perfect >= 0:
            found |= {"distance_loss_perfect": float(module.perfect)}
    return found


def log_pairs(d: Tensor) -> Tensor:
    """Logarithms of the distances (n, n) of each pair once; pairs at distance 0 are left out."""
    pairs = d[tuple(torch.triu_indices(len(d), len(d), 1))]
    return pairs[pairs > 0].log()


def draw(logs: Mapping[str, Tensor], metric: str) -> Any:
    """Histograms of logarithmic distances in one panel, as a matplotlib figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    low, high = min(float(part.min()) for part in logs.values()), max(float(part.max()) for part in logs.values())
    for name, color in (("data", "#b5b5b5"), ("latent, scaled", "#c9721a"), ("generated", "#2a6fbb")):
        if name in logs:
            filled = name == "data"
            axes.hist(
                logs[name].numpy(), BINS, range=(low, high), density=True, label=name, color=color,
                histtype="stepfilled" if filled else "step", alpha=0.6 if filled else 1.0, linewidth=1.4,
            )  # fmt: skip
    axes.set(xlabel=f"log of pairwise distance ({metric})", ylabel="density")
    axes.legend(frameon=False)
    return figure
