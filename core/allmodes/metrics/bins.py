"""Bins of the training items that samples fill too seldom or too often."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.metrics.feature_metric import FeatureMetric, Reference
from allmodes.metrics.modes import enough
from allmodes_schemas import FeatureConfig


class Ndb(FeatureMetric):
    """Number of statistically different bins (Richardson and Weiss, 2018), over that of all bins.

    The bins are the cells of k-means on training items. Of each, the shares of samples and of these items are compared
    by a two-proportion z test with the pooled variance:

    - `ndb`: share of bins whose difference is significant at `alpha`: at least about that for a perfect sampler;
    - `jsd`: Jensen-Shannon divergence of the shares in nats: at most ln 2, biased upwards by about bins / 4N.

    Withheld (NaN) for fewer than ten samples a bin.

    Args:
        features: The space.
        bins: Cells of k-means.
        alpha: Level of the test.
        reference: Items that make the bins: as many of those trained on as there are samples, or held-out ones.
    """

    def __init__(
        self, features: FeatureConfig, bins: int = 100, alpha: float = 0.05, reference: Reference = "train"
    ) -> None:
        self.bins, self.alpha = bins, alpha
        super().__init__(features, ("ndb", "jsd"), reference)

    @override
    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        if not enough(min(len(x), len(y)), self.bins):
            return {"ndb": math.nan, "jsd": math.nan}
        p, q = (cells.bincount(minlength=self.bins).double() for cells in assign(x, y, self.bins, generator))
        different = proportion_scores(p, q) > torch.special.ndtri(torch.tensor(1 - self.alpha / 2))
        return {"ndb": float(different.double().mean()), "jsd": jensen_shannon(p / p.sum(), q / q.sum())}


def assign(x: Tensor, y: Tensor, bins: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the cell (N,) of each x (N, F) and (M,) of each y (M, F) among the cells of k-means on y."""
    from sklearn.cluster import KMeans

    seed = int(torch.randint(2**31, (), generator=generator))
    cells = KMeans(bins, n_init=1, random_state=seed).fit(y.numpy())
    return torch.from_numpy(cells.predict(x.numpy())).long(), torch.from_numpy(cells.labels_).long()


def proportion_scores(p: Tensor, q: Tensor) -> Tensor:
    """Compute |z| (K,) of the shares that counts p (K,) and q (K,) have of their sums; 0 where both are 0."""
    n, m = p.sum(), q.sum()
    pooled = (p + q) / (n + m)
    return ((p / n - q / m).abs() / (pooled * (1 - pooled) * (1 / n + 1 / m)).sqrt()).nan_to_num(0)


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    """Compute the Jensen-Shannon divergence of shares p (K,) and q (K,), in nats."""
    entropy = torch.special.entr
    return float((entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2).sum())
