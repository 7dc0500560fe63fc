"""What each mode of the latent gives: a picture with a row a mode, and how pure the modes are."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from allmodes.metrics.base import Better, Evaluation, Metric
from allmodes.metrics.classes import classes_of, classifier_of
from allmodes.metrics.clustering import contingency
from allmodes.metrics.modes import modes_of
from allmodes_schemas import FeatureConfig

SHOWN, POINTS = 10, 60
"""Images and points that the picture has of each mode."""


class Conditional(Metric):
    """Draws with each mode of the latent held fixed, `samples` of each.

    Items are named by the true mode that is nearest, where modes are known, or by a classifier of the labels.

    - `conditional_purity`: share of draws that have the commonest name of their mode, a mean over modes;
    - `conditional_classes`: how many names are the commonest of some mode.

    Without known modes and without a classifier there is the picture alone. Real data have no floor.

    Args:
        samples: Draws of each mode.
        classifier: The classifier, where modes are not known.
    """

    better: ClassVar = dict[str, Better]({"conditional_purity": "higher", "conditional_classes": "higher"})

    def __init__(self, samples: int = 100, classifier: FeatureConfig | None = None) -> None:
        self.samples, self.classifier = samples, classifier

    def prepare(self, data: Any) -> None:
        """Train the classifier, or read it."""
        if self.classifier is not None and data.truth is None:
            classifier_of(data, self.classifier, self.spaces)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        """The numbers by key."""
        drawn = self._drawn(evaluation)  # (K, n, *shape)
        names = self._names(evaluation, drawn.flatten(0, 1))
        if names is None:
            return {}
        modes = torch.arange(len(drawn)).repeat_interleave(drawn.shape[1])
        named = names >= 0  # a draw that is not finite has no name, and counts as impure
        counts = contingency(modes[named], names[named], len(drawn), evaluation.data.classes or 0)
        most = counts.max(1)
        return {
            "conditional_purity": float(most.values.sum()) / len(names),
            "conditional_classes": float(len(set(most.indices.tolist()))),
        }

    def floor(self, evaluation: Evaluation) -> dict[str, float]:
        """Nothing: real data have no latent."""
        return {}

    def figure(self, evaluation: Evaluation) -> Any:
        """A row of images for each mode, or points in a colour for each."""
        from allmodes.figures import drawing

        drawn = self._drawn(evaluation)[:, : SHOWN if len(evaluation.data.shape) == 3 else POINTS]
        return drawing.draw_rows(drawn, evaluation.data, [f"mode {k}" for k in range(len(drawn))])

    def _drawn(self, evaluation: Evaluation) -> Tensor:
        key = ("conditional", str(self.samples))
        if key not in evaluation.memo:
            if evaluation.sample is None:
                raise ValueError("metric conditional: needs a model to draw from")
            modes: int = evaluation.modules["prior"].sizes["mode"]  # type: ignore[assignment,index]
            evaluation.memo[key] = torch.stack([evaluation.sample(self.samples, {"mode": k}) for k in range(modes)])
        drawn: Tensor = evaluation.memo[key]
        return drawn

    def _names(self, evaluation: Evaluation, items: Tensor) -> Tensor | None:
        if (truth := evaluation.data.truth) is not None:
            return modes_of(items, truth.to("cpu"))[0]
        if self.classifier is None:
            return None
        return classes_of(items, evaluation.data, self.classifier, self.spaces)
