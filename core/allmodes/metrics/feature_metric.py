"""The base class of metrics that compare features of samples and of real items."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes.data.base import Data, training_items
from allmodes.metrics.base import Evaluation, Metric
from allmodes.metrics.features import extract_features
from allmodes_schemas import FeatureConfig

Reference: TypeAlias = Literal["held_out", "train"]
"""Which real items samples are compared with."""


class FeatureMetric(Metric):
    """A comparison of samples and real items in a feature space.

    Keys end with the title of the features: `fid_classifier`. The facts of the space, such as `classifier_accuracy`,
    are reported beside. All numbers are NaN where a sample is not finite.

    Args:
        features: The space.
        names: Keys of the numbers, without the title of the features.
        reference: Real items to compare with: `held_out` ones, or as many different ones of those trained on.
    """

    def __init__(self, features: FeatureConfig, names: tuple[str, ...], reference: Reference = "held_out") -> None:
        self.features, self.names, self.reference = features, names, reference

    def key(self, name: str) -> str:
        """Return the key of a number: its name and the title of the features."""
        return f"{name}_{self.features.title()}"

    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        """Compute the numbers by name from features x (N, F) of samples and y (M, F) of real items, both float64."""
        raise NotImplementedError(f"{type(self).__name__} does not define compare(x, y, generator)")

    @override
    def prepare(self, data: Data) -> None:
        self._space(data)

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        space = self._space(evaluation.data)
        facts = {f"{self.features.title()}_{key}": value for key, value in getattr(space, "facts", {}).items()}
        if not evaluation.samples.isfinite().all():
            return {self.key(name): math.nan for name in self.names} | facts
        return {self.key(name): value for name, value in self.compare_in(space, evaluation).items()} | facts

    def compare_in(self, space: nn.Module, evaluation: Evaluation) -> dict[str, float]:
        """Compute the numbers by name in a space, of an evaluation whose samples are finite."""
        x, y = self.samples_in(space, evaluation), self.real_in(space, evaluation)
        return self.compare(x, y, evaluation.generator)

    def samples_in(self, space: nn.Module, evaluation: Evaluation) -> Tensor:
        """Return the features (N, F) of the samples, float64."""
        return self._extract("samples", space, evaluation, lambda: evaluation.samples)

    def real_in(self, space: nn.Module, evaluation: Evaluation) -> Tensor:
        """Return the features (M, F) of the real items to compare with, float64."""
        return self._extract(self.reference, space, evaluation, lambda: self._real_items(evaluation))

    def training_in(self, space: nn.Module, evaluation: Evaluation, n: int) -> Tensor:
        """Return the features (n, F) of different training items, of all where there are fewer."""
        items = training_items(evaluation.data, n, evaluation.generator).x
        return extract_features(space, items, evaluation.data.device)

    def _space(self, data: Data) -> nn.Module:
        return self.feature_cache.module(self.features, data)

    def _extract(self, which: str, space: nn.Module, evaluation: Evaluation, items: Callable[[], Tensor]) -> Tensor:
        """Return features (N, F) of the samples or real items, computed once for all metrics of an evaluation."""
        key = ("features", which, self.features.model_dump_json())
        if key not in evaluation.memo:
            evaluation.memo[key] = extract_features(space, items(), evaluation.data.device).double()
        features: Tensor = evaluation.memo[key]
        return features

    def _real_items(self, evaluation: Evaluation) -> Tensor:
        if self.reference == "held_out":
            return evaluation.real.x
        return training_items(evaluation.data, len(evaluation.samples), evaluation.generator).x.cpu()
