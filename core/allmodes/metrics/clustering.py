"""Agreement of an auxiliary's clusters of real items with their labels."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.metrics.base import Evaluation, Metric


class Clustering(Metric):
    """Agreement of clusters with labels, for held-out real items that an auxiliary maps to scores or to a code.

    - `acc`: share of items whose cluster is that of their label, under the best one-to-one matching (Hungarian method);
    - `purity`: share of items that have the commonest label of their cluster;
    - `nmi`: mutual information over the mean of both entropies;
    - `ari`: adjusted Rand index, 0 for random clusters.

    Keys end with how clusters are made: `acc_argmax` (the largest score), `acc_kmeans` (k-means on the code, as many
    clusters as classes, best of 10 starts). There is no floor: without a model there is no auxiliary.

    Args:
        auxiliary: Its name.
        part: Which part of its output: a position or a name; None where the output is one tensor.
        by: How clusters are made.
    """

    NAMES: ClassVar[tuple[str, ...]] = ("acc", "purity", "nmi", "ari")

    def __init__(
        self, auxiliary: str, part: int | str | None = None, by: Literal["argmax", "kmeans"] = "argmax"
    ) -> None:
        self.auxiliary, self.part, self.by = auxiliary, part, by

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if evaluation.real.labels is None or evaluation.encode is None:
            raise ValueError("metric clustering: needs held-out items with labels, and a model's auxiliary")
        with torch.no_grad():
            output = self._select(evaluation.encode(self.auxiliary, evaluation.real.x)).detach().cpu()
        if not output.isfinite().all():
            return {f"{name}_{self.by}": float("nan") for name in self.NAMES}
        clusters = self._assign(output.flatten(1), evaluation)
        return {f"{name}_{self.by}": value for name, value in agreement(clusters, evaluation.real.labels).items()}

    @override
    def floor(self, evaluation: Evaluation) -> dict[str, float]:
        return {}

    def _select(self, output: Any) -> Tensor:
        """Return the part of the auxiliary's output that is clustered."""
        try:
            found = output if self.part is None else _part(output, self.part)
        except (AttributeError, IndexError, KeyError):
            found = None
        if not isinstance(found, Tensor):
            raise ValueError(
                f"metric clustering: auxiliary {self.auxiliary!r} gives no tensor as part {self.part!r}: set part to "
                f"a position or a name in its {type(output).__name__}"
            )
        return found

    def _assign(self, output: Tensor, evaluation: Evaluation) -> Tensor:
        """Return the cluster (N,) of each item."""
        if self.by == "argmax":
            return output.argmax(1)
        from sklearn.cluster import KMeans

        seed = int(torch.randint(2**31, (), generator=evaluation.generator))
        search = KMeans(evaluation.data.classes, n_init=10, random_state=seed)
        return torch.from_numpy(search.fit_predict(output.double().numpy())).long()


def agreement(clusters: Tensor, labels: Tensor) -> dict[str, float]:
    """Compute `acc`, `purity`, `nmi` and `ari` of clusters (N,) and labels (N,), both counted from 0."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    counts = contingency(clusters, labels, int(clusters.max()) + 1, int(labels.max()) + 1)
    matched = counts[linear_sum_assignment(counts.numpy(), maximize=True)].sum()
    return {
        "acc": float(matched) / len(labels),
        "purity": float(counts.amax(1).sum()) / len(labels),
        "nmi": float(normalized_mutual_info_score(labels.numpy(), clusters.numpy())),
        "ari": float(adjusted_rand_score(labels.numpy(), clusters.numpy())),
    }


def contingency(clusters: Tensor, labels: Tensor, rows: int, columns: int) -> Tensor:
    """Count items (rows, columns) by cluster and label, both (N,) and counted from 0."""
    return torch.bincount(clusters * columns + labels, minlength=rows * columns).reshape(rows, columns)


def _part(output: Any, part: int | str) -> Any:
    """Return a part by position or key; by attribute if the output is a named tuple."""
    return getattr(output, part) if isinstance(part, str) and isinstance(output, tuple) else output[part]
