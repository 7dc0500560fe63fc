"""Draws of each mode of the latent: a figure with a row for each mode, and the purity of the modes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.base import Data
from allmodes.metrics.base import Evaluation, Metric
from allmodes.metrics.classes import classes_of, classifier_of
from allmodes.metrics.clustering import contingency
from allmodes_schemas import FeatureConfig

IMAGES, POINTS = 10, 60
"""Images and points that the figure has of each mode."""


class Conditional(Metric):
    """Draws with each mode of the latent held fixed, `samples` of each.

    Each draw gets a name: the nearest true mode, where modes are known, or its class by a classifier of the labels.

    - `conditional_purity`: share of draws that have the commonest name of their mode, a mean over modes;
    - `conditional_classes`: number of different names among those that are commonest in a mode.

    Without known modes and without a classifier there is the figure alone. There is no floor: real data have no latent.

    Args:
        samples: Draws of each mode.
        classifier: The classifier, where modes are not known.
    """

    def __init__(self, samples: int = 100, classifier: FeatureConfig | None = None) -> None:
        self.samples, self.classifier = samples, classifier

    @override
    def prepare(self, data: Data) -> None:
        if self.classifier is not None and data.truth is None:
            classifier_of(data, self.classifier, self.feature_cache)

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        draws = self._draw(evaluation)  # (K, n, *shape)
        names = self._names(evaluation, draws.flatten(0, 1))
        if names is None:
            return {}
        modes = torch.arange(len(draws)).repeat_interleave(draws.shape[1])
        named = names >= 0  # a draw that is not finite has no name, and counts as impure
        counts = contingency(modes[named], names[named], len(draws), evaluation.data.classes or 0)
        most = counts.max(1)
        return {
            "conditional_purity": float(most.values.sum()) / len(names),
            "conditional_classes": float(len(set(most.indices.tolist()))),
        }

    @override
    def floor(self, evaluation: Evaluation) -> dict[str, float]:
        return {}

    @override
    def figure(self, evaluation: Evaluation) -> Any:
        from allmodes.figures.draw import draw_rows

        draws = self._draw(evaluation)[:, : IMAGES if len(evaluation.data.shape) == 3 else POINTS]
        return draw_rows(draws, evaluation.data, [f"mode {k}" for k in range(len(draws))])

    def _draw(self, evaluation: Evaluation) -> Tensor:
        """Return draws (K, n, *shape) of each mode, made once for numbers and figure."""
        key = ("conditional", str(self.samples))
        if key not in evaluation.memo:
            if evaluation.sample is None:
                raise ValueError("metric conditional: needs a model to draw from")
            modes: int = evaluation.modules["prior"].sizes["mode"]  # type: ignore[assignment,index]
            evaluation.memo[key] = torch.stack([evaluation.sample(self.samples, {"mode": k}) for k in range(modes)])
        draws: Tensor = evaluation.memo[key]
        return draws

    def _names(self, evaluation: Evaluation, items: Tensor) -> Tensor | None:
        """Return the true mode or the class (N,) of each item; None without known modes and a classifier."""
        if (truth := evaluation.data.truth) is not None:
            return truth.to("cpu").modes_of(items)[0]
        if self.classifier is None:
            return None
        return classes_of(items, evaluation.data, self.classifier, self.feature_cache)
