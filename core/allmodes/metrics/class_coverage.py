"""The classes of samples by their nearest training items."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.base import Data
from allmodes.data.batch import Batch
from allmodes.metrics.base import Evaluation, Metric
from allmodes.metrics.distances import Cloud
from allmodes.metrics.modes import enough, kl


class ClassCoverage(Metric):
    """Classes among the samples by their nearest training items: a rough measure that needs no classifier.

    The label of a sample is that of the nearest of at most `items` training items by Euclidean distance of pixels.

    - `classes`: number of labels that at least one sample has;
    - `class_kl`: KL of the samples' labels from those of the same training items, in nats and uncorrected; withheld
      (NaN) for fewer than ten samples a class.

    Rough: pixel distance mistakes some digits for others even on real data, and says nothing about quality, since every
    sample, noise included, has some nearest item. Samples that are not finite are left out.
    """

    def __init__(self, items: int = 10_000) -> None:
        self.items = items

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        training = self._training_items(evaluation.data)
        if training.labels is None:
            raise ValueError("metric class_coverage: the data have no labels")
        labels, classes = training.labels.cpu(), evaluation.data.classes or 0
        finite = evaluation.samples[evaluation.samples.flatten(1).isfinite().all(1)]
        counts = labels[_nearest(finite, training.x.cpu())].bincount(minlength=classes)
        shares = labels.bincount(minlength=classes)
        reported = enough(len(finite), int((shares > 0).sum()))
        return {"classes": float((counts > 0).sum()), "class_kl": kl(counts, shares) if reported else math.nan}

    def _training_items(self, data: Data) -> Batch:
        """Return different training items, the same at every evaluation, so that a run's numbers can be compared."""
        return next(data.loader(min(self.items, data.items or self.items), seed=0))


def _nearest(samples: Tensor, items: Tensor) -> Tensor:
    """Return the position of the nearest item (N,) of each sample."""
    return torch.cat([squares.nearest() for squares in Cloud(items).squares(samples)])
