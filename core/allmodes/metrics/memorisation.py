"""Whether samples are copies of the items that were trained on."""

from __future__ import annotations

import math

from torch import Tensor, nn
from typing_extensions import override

from allmodes.metrics.base import Evaluation
from allmodes.metrics.distances import nearest_distances
from allmodes.metrics.feature_metric import FeatureMetric
from allmodes_schemas import FeatureConfig

NEAR = 100
"""One of so many held-out items is as near to a training item as what counts as a copy."""


class Memorisation(FeatureMetric):
    """Distance of samples from the training items, over that of as many held-out items.

    - `memorisation`: mean distance to the nearest training item, of the samples over that of held-out items: about 1
      for a perfect sampler, 0 for copies of the training set, well above 1 for samples that are far from the data;
    - `copies`: share of samples that have a training item much nearer than all others: the distance to the nearest over
      that to the second is at most as small as for 1 % of held-out items. About 0.01 for a perfect sampler, 1 for
      copies. Neither do samples far from the data hide copies here, as they do in a mean, nor do blurred ones, which
      are near to all items alike, count as copies.

    The nearest is looked for among all training items. NaN where these are drawn without end, since nothing was seen
    that could be remembered; a mean of 0 over held-out items, all of which are training items, withholds the ratio.
    In the space of the items themselves keys are the bare names.
    """

    def __init__(self, features: FeatureConfig) -> None:
        super().__init__(features, ("memorisation", "copies"))

    @override
    def key(self, name: str) -> str:
        return name if self.features.kind == "items" else super().key(name)

    @override
    def compare_in(self, space: nn.Module, evaluation: Evaluation) -> dict[str, float]:
        items = evaluation.data.items
        if items is None or items < 2:
            return dict.fromkeys(self.names, math.nan)
        training = self.training_in(space, evaluation, items)
        sides = self.samples_in(space, evaluation), self.real_in(space, evaluation)
        x, y = (nearest_distances(side, training, 2) for side in sides)
        return compare_distances(x, y)


def compare_distances(samples: Tensor, held_out: Tensor) -> dict[str, float]:
    """Compute both numbers from the distances (N, 2) of samples and (M, 2) of held-out items to the two nearest."""
    mean = float(held_out[:, 0].mean())
    x, y = ((pairs[:, 0] / pairs[:, 1]).nan_to_num(0) for pairs in (samples, held_out))
    near = y.kthvalue(math.ceil(len(y) / NEAR)).values
    return {
        "memorisation": float(samples[:, 0].mean()) / mean if mean > 0 else math.nan,
        "copies": float((x <= near).double().mean()),
    }
