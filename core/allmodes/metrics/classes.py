"""Classes of samples as a classifier of the data's labels sees them, and the share of one class or mode."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from allmodes.data import Data, DataError
from allmodes.metrics.base import Better, Evaluation, Metric
from allmodes.metrics.classifier import Classifier
from allmodes.metrics.modes import modes_of
from allmodes.metrics.spaces import Spaces
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
        better: Mapping[str, Better] = {f"share_{label}": "near", f"true_share_{label}": "near"}
        self.better = better  # type: ignore[misc]  # an instance's own: the keys carry the label
        self.spaces: Spaces = Spaces()
        self._true: dict[str, float] = {}

    def prepare(self, data: Data) -> None:
        """Count the labels, and train the classifier unless it is at hand or not needed.

        Raises:
            DataError: If the data have no such label.
        """
        self._true_share(data)
        if data.truth is None:
            classifier_of(data, self.classifier, self.spaces)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        """The numbers by key, and the classifier's accuracy.

        Raises:
            DataError: If the data have no such label.
        """
        true = self._true_share(evaluation.data)
        share = float((self._classes(evaluation) == self.label).double().mean())
        return {f"share_{self.label}": share, f"true_share_{self.label}": true} | self._facts(evaluation.data)

    def _classes(self, evaluation: Evaluation) -> Tensor:
        """Mode or class (N,) of each sample."""
        if evaluation.data.truth is None:
            return classes_of_samples(evaluation, self.classifier, self.spaces)
        modes, good = modes_of(evaluation.samples, evaluation.data.truth.to("cpu"))
        return modes.where(good, NONE)

    def _facts(self, data: Data) -> dict[str, float]:
        """What is known of the classifier, if there is one."""
        if data.truth is not None:
            return {}
        facts = classifier_of(data, self.classifier, self.spaces).facts
        return {f"{self.classifier.title()}_{key}": value for key, value in facts.items()}

    def _true_share(self, data: Data) -> float:
        """Counted once for the same data: labels that are streamed take as long as reading all items."""
        if data.classes is None:
            raise DataError(f"metric share: the data have no labels, so no class {self.label}")
        if self.label >= data.classes:
            raise DataError(f"metric share: label {self.label}: the data's labels are 0 to {data.classes - 1}")
        if data.fingerprint not in self._true:
            self._true[data.fingerprint] = float(data.shares()[self.label])
        return self._true[data.fingerprint]


def classes_of_samples(evaluation: Evaluation, config: FeatureConfig, spaces: Spaces) -> Tensor:
    """Class (N,) of each sample of an evaluation, found once for all its metrics."""
    key = ("classes", config.model_dump_json())
    if key not in evaluation.memo:
        evaluation.memo[key] = classes_of(evaluation.samples, evaluation.data, config, spaces)
    classes: Tensor = evaluation.memo[key]
    return classes


def classes_of(x: Tensor, data: Data, config: FeatureConfig, spaces: Spaces) -> Tensor:
    """Class (N,) of each item x (N, *shape) by the classifier of the data's labels; -1 where x is not finite.

    Computed on the data's device; the answer is on the CPU.

    Raises:
        DataError: If the data have no labels.
    """
    labels = classifier_of(data, config, spaces).labels(x, data.device)
    return labels.where(x.flatten(1).isfinite().all(1).cpu(), NONE)


def classifier_of(data: Data, config: FeatureConfig, spaces: Spaces) -> Classifier:
    """The classifier of the data's labels: the same for all metrics that share these spaces.

    Raises:
        DataError: If the data have no labels.
        TypeError: If these features are no classifier.
    """
    space = spaces.of(config, data)
    if not isinstance(space, Classifier):
        raise TypeError(f"features {config.kind} give no classes: take a classifier")
    return space
