"""Feature spaces that metrics share: each is built once, and applied once to the items of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from allmodes.data import Data
from allmodes.metrics.base import Better, Evaluation, Metric
from allmodes.metrics.features import extract_features
from allmodes_schemas import FeatureConfig

Reference: TypeAlias = Literal["held_out", "train"]
"""Which real items samples are compared with."""


class Spaces:
    """Feature modules by their config and the data that they were built of."""

    def __init__(self) -> None:
        self._modules: dict[tuple[str, str], nn.Module] = {}

    def of(self, config: FeatureConfig, data: Data) -> nn.Module:
        """The module, built if it is asked for the first time."""
        key = (config.model_dump_json(), data.fingerprint)
        if key not in self._modules:
            self._modules[key] = config.build(data)
        return self._modules[key]


class FeatureMetric(Metric):
    """A comparison of samples and real items in a feature space.

    Keys end with the title of the features: `fid_classifier`. What a space says of itself is reported beside, such as
    `classifier_accuracy`. All are NaN where a sample is not finite.

    Args:
        features: The space.
        better: Which values are good, by key without the features' title.
        reference: Real items to compare with: `held_out` ones, or as many of those trained on.
    """

    def __init__(
        self, features: FeatureConfig, better: Mapping[str, Better], reference: Reference = "held_out"
    ) -> None:
        self.features, self.reference = features, reference
        self.spaces: Spaces = Spaces()
        # An instance's own: the keys carry the name of its features.
        self.better = {self.key(name): good for name, good in better.items()}  # type: ignore[misc]

    def key(self, name: str) -> str:
        """A number's key: its name and that of the features."""
        return f"{name}_{self.features.title()}"

    def compare(self, x: Tensor, y: Tensor, generator: torch.Generator) -> dict[str, float]:
        """The numbers of features x (N, F) of samples and y (M, F) of real items, float64, without the title."""
        raise NotImplementedError(f"{type(self).__name__} does not define compare(x, y, generator)")

    def prepare(self, data: Data) -> None:
        """Build the space."""
        self._space(data)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        """The numbers by key, and the facts of the features."""
        space = self._space(evaluation.data)
        facts = {f"{self.features.title()}_{key}": value for key, value in getattr(space, "facts", {}).items()}
        if not evaluation.samples.isfinite().all():
            return dict.fromkeys(self.better, math.nan) | facts
        x = self._seen("samples", space, evaluation, lambda: evaluation.samples)
        y = self._seen(self.reference, space, evaluation, lambda: self._real(evaluation))
        return {self.key(name): value for name, value in self.compare(x, y, evaluation.generator).items()} | facts

    def _space(self, data: Data) -> nn.Module:
        return self.spaces.of(self.features, data)

    def _seen(self, which: str, space: nn.Module, evaluation: Evaluation, items: Callable[[], Tensor]) -> Tensor:
        """Features (N, F) of the samples or of real items, computed once for all metrics of an evaluation."""
        key = ("features", which, self.features.model_dump_json())
        if key not in evaluation.memo:
            evaluation.memo[key] = extract_features(space, items(), evaluation.data.device).double()
        features: Tensor = evaluation.memo[key]
        return features

    def _real(self, evaluation: Evaluation) -> Tensor:
        if self.reference == "held_out":
            return evaluation.real.x
        data = evaluation.data
        seed = int(torch.randint(2**62, (), generator=evaluation.generator))
        return data.draw(len(evaluation.samples), torch.Generator(data.device).manual_seed(seed)).x.cpu()
