"""Whether samples are copies of the items that were trained on."""

from __future__ import annotations

import math

from torch import Tensor, nn
from typing_extensions import override

from allmodes.data.base import training_items
from allmodes.metrics.base import Evaluation
from allmodes.metrics.distances import nearest_distances
from allmodes.metrics.feature_metric import FeatureMetric
from allmodes.metrics.features import extract_features
from allmodes_schemas import FeatureConfig

NEAR = 100
"""One of so many held-out items is as near to a training item as what counts as a copy."""


class Memorisation(FeatureMetric):
    """Distance of samples from the training items, over that of as many held-out items.

    - `memorisation`: mean distance to the nearest training item, of the samples over that of held-out items: about 1
      for a perfect sampler, 0 for copies of the training set, well above 1 for samples that are far from the data;
    - `copies`: share of samples at most as far from a training item as the nearest 1 % of held-out items: about 0.01
      for a perfect sampler, 1 for copies. Samples far from the data cannot hide copies in it, as they can in a mean.

    The nearest is looked for among all training items. NaN where these are drawn without end, since nothing was seen
    that could be remembered; a mean of 0 over held-out items, all of which are training items, withholds the ratio.
    In the space of the items themselves keys are the bare names.
    """

    def __init__(self, features: FeatureConfig) -> None:
        super().__init__(features, ("memorisation", "copies"))

    @override
    def key(self, name: str) -> str:
        return name if self.features.kind == "pixels" else super().key(name)

    @override
    def compare_in(self, space: nn.Module, evaluation: Evaluation) -> dict[str, float]:
        data = evaluation.data
        if data.items is None:
            return dict.fromkeys(self.names, math.nan)
        items = training_items(data, data.items, evaluation.generator).x
        training = extract_features(space, items, data.device)
        x, y = self.samples_in(space, evaluation), self.real_in(space, evaluation)
        return compare_distances(nearest_distances(x, training), nearest_distances(y, training))


def compare_distances(samples: Tensor, held_out: Tensor) -> dict[str, float]:
    """Compute both numbers from the distances (N,) of samples and (M,) of held-out items to their training items."""
    mean = held_out.mean()
    near = held_out.kthvalue(math.ceil(len(held_out) / NEAR)).values
    return {
        "memorisation": float(samples.mean() / mean) if mean > 0 else math.nan,
        "copies": float((samples <= near).double().mean()),
    }
