"""The classes of samples by a classifier of the data's labels, and the share of one class or mode."""

from __future__ import annotations

from torch import Tensor
from typing_extensions import override

from allmodes.data.base import Data, DataError
from allmodes.metrics.base import Evaluation, Metric
from allmodes.metrics.classifier import Classifier
from allmodes.metrics.feature_cache import FeatureCache
from allmodes_schemas import FeatureConfig

NONE = -1
"""The class of a sample that has none: it is not finite, or not of high quality."""


class Share(Metric):
    """Share of samples that fall into one mode or class, beside its true share.

    - `share_<label>`: samples of that mode or class over all samples;
    - `true_share_<label>`: the mode's weight, or the class's share of the labels that were trained on.

    Where the data's modes are known, a sample falls into the most probable one of those in which it is of high quality,
    as for `Modes`. Otherwise a classifier of the labels decides, whose accuracy on held-out items is reported beside
    (`classifier_accuracy`): it gives every finite sample a class, noise included. Samples that are not finite fall
    into none.

    Args:
        label: The mode or class, counted from 0.
        classifier: The classifier; not used where modes are known.
    """

    def __init__(self, label: int, classifier: FeatureConfig) -> None:
        self.label, self.classifier = label, classifier
        self._true_shares: dict[str, float] = {}

    @override
    def prepare(self, data: Data) -> None:
        self._true_share(data)
        if data.truth is None:
            classifier_of(data, self.classifier, self.feature_cache)

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        true_share = self._true_share(evaluation.data)
        share = float((self._classes(evaluation) == self.label).double().mean())
        numbers = {f"share_{self.label}": share, f"true_share_{self.label}": true_share}
        return numbers | self._facts(evaluation.data)

    def _classes(self, evaluation: Evaluation) -> Tensor:
        """Return the mode or class (N,) of each sample."""
        if evaluation.data.truth is None:
            return classes_of_samples(evaluation, self.classifier, self.feature_cache)
        modes, good = evaluation.data.truth.to("cpu").modes_of(evaluation.samples)
        return modes.where(good, NONE)

    def _facts(self, data: Data) -> dict[str, float]:
        """Return the facts of the classifier, if one is used."""
        if data.truth is not None:
            return {}
        facts = classifier_of(data, self.classifier, self.feature_cache).facts
        return {f"{self.classifier.title()}_{key}": value for key, value in facts.items()}

    def _true_share(self, data: Data) -> float:
        """Return the true share, counted once for the same data: labels on disk take as long as reading all items."""
        if data.classes is None:
            raise DataError(f"metric share: the data have no labels, so no class {self.label}")
        if self.label >= data.classes:
            raise DataError(f"metric share: label {self.label}: the data's labels are 0 to {data.classes - 1}")
        if data.fingerprint not in self._true_shares:
            self._true_shares[data.fingerprint] = float(data.shares()[self.label])
        return self._true_shares[data.fingerprint]


def classes_of_samples(evaluation: Evaluation, config: FeatureConfig, cache: FeatureCache) -> Tensor:
    """Return the class (N,) of each sample of an evaluation, found once for all its metrics."""
    key = ("classes", config.model_dump_json())
    if key not in evaluation.memo:
        evaluation.memo[key] = classes_of(evaluation.samples, evaluation.data, config, cache)
    classes: Tensor = evaluation.memo[key]
    return classes


def classes_of(x: Tensor, data: Data, config: FeatureConfig, cache: FeatureCache) -> Tensor:
    """Return the class (N,) of each item x (N, *shape) by the classifier of the data's labels; -1 if x is not finite.

    Computed on the data's device and returned on the CPU.

    Raises:
        DataError: If the data have no labels.
    """
    labels = classifier_of(data, config, cache).labels(x, data.device)
    return labels.where(x.flatten(1).isfinite().all(1).cpu(), NONE)


def classifier_of(data: Data, config: FeatureConfig, cache: FeatureCache) -> Classifier:
    """Return the classifier of the data's labels from the cache, trained at the first call.

    Raises:
        DataError: If the data have no labels.
        TypeError: If these features are not a classifier.
    """
    module = cache.module(config, data)
    if not isinstance(module, Classifier):
        raise TypeError(f"features {config.kind} give no classes: take a classifier")
    return module
