"""The modes of Stacked MNIST: triples of digits, as a classifier reads them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.base import Data
from allmodes.data.stacked_mnist import StackedDigits, mode_of
from allmodes.metrics.base import Evaluation, Metric
from allmodes.metrics.classifier import Classifier
from allmodes.metrics.distances import nearest_distances
from allmodes.metrics.memorisation import compare_distances
from allmodes.metrics.modes import enough, kl
from allmodes_schemas import FeatureConfig

CHUNK = 5000
"""Samples that are drawn and classified at once."""


class StackedModes(Metric):
    """Modes of Stacked MNIST after Srivastava et al. (2017) and PacGAN, and a sharper line.

    A classifier trained on MNIST's training digits reads each channel; the triple is the mode. With N = `samples`:

    - `stacked_modes`: number of triples that at least one sample shows;
    - `stacked_kl`: KL of the samples' triples from uniform, in nats and uncorrected. Not 0 for a perfect sampler: for
      N = 26,000 about 999 / 2N = 0.0192, and 0.0043 more because MNIST's digits are not quite equally many.

    The sharp line takes `sharp` samples and the shares that the digits really have as reference, and subtracts the
    bias of the histogram (Miller and Madow): `stacked_kl_sharp` = KL - (K - 1) / 2N with K the triples seen. A perfect
    sampler scores 0 there, give or take 0.0004 for 100,000.

    With `digits`, so many channels of samples are compared with the single training digits, as `Memorisation` compares
    items: `stacked_memorisation` is 0 for copies and about 1 for a perfect sampler, `stacked_copies` 1 and about 0.01.

    `stacked_classifier_accuracy` is the classifier's on MNIST's test digits. All else is NaN where a sample is not
    finite; a KL of fewer than 10,000 samples, ten a mode, is withheld (NaN).
    """

    def __init__(
        self,
        classifier: FeatureConfig,
        samples: int = 26_000,
        sharp: int | None = 100_000,
        digits: int | None = None,
    ) -> None:
        self.classifier, self.samples, self.sharp, self.digits = classifier, samples, sharp, digits

    @override
    def prepare(self, data: Data) -> None:
        self._classifier(data)

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        data, classifier = self._classifier(evaluation.data)
        modes = self._modes(classifier, evaluation)
        usual = modes[: self.samples].bincount(minlength=1000)
        numbers = {"stacked_modes": float((usual > 0).sum()), "stacked_kl": _divergence(kl, usual, torch.ones(1000))}
        if self.sharp:
            sharp = modes[: self.sharp].bincount(minlength=1000)
            numbers["stacked_kl_sharp"] = _divergence(corrected_kl, sharp, data.shares())
        if self.digits:
            numbers |= self._memory(data, evaluation)
        numbers = numbers if len(modes) else dict.fromkeys(numbers, math.nan)
        return numbers | {"stacked_classifier_accuracy": classifier.facts["accuracy"]}

    def _classifier(self, data: Data) -> tuple[StackedDigits, Classifier]:
        if not isinstance(data, StackedDigits):
            raise ValueError("metric stacked_mnist: needs data of kind stacked_mnist")
        classifier = self.feature_cache.module(self.classifier, data.mnist)
        assert isinstance(classifier, Classifier)
        return data, classifier

    def _memory(self, data: StackedDigits, evaluation: Evaluation) -> dict[str, float]:
        """Compute how near digits of samples are to training digits, beside digits of held-out triples."""
        if not evaluation.samples.isfinite().all():
            return dict.fromkeys(("stacked_memorisation", "stacked_copies"), math.nan)
        training = data.digits.take(torch.arange(len(data.digits.x), device=data.device)).x.cpu().flatten(1)
        each = [x.flatten(0, 1)[: self.digits].flatten(1) for x in (evaluation.samples, evaluation.real.x)]
        samples, held_out = (nearest_distances(x, training, 2) for x in each)
        return {f"stacked_{name}": value for name, value in compare_distances(samples, held_out).items()}

    def _modes(self, classifier: Classifier, evaluation: Evaluation) -> Tensor:
        """Return the mode (N,) of the samples of the longer line; empty if a sample is not finite."""
        if evaluation.sample is None:
            raise ValueError("metric stacked_mnist: the evaluation has no model to sample")
        n, found = max(self.samples, self.sharp or 0), list[Tensor]()
        for start in range(0, n, CHUNK):
            x = evaluation.sample(min(CHUNK, n - start), {})
            if not x.isfinite().all():
                return torch.zeros(0, dtype=torch.long)
            digits = classifier.labels(x.flatten(0, 1)[:, None], evaluation.data.device)
            found.append(mode_of(digits.view(len(x), -1)))
        return torch.cat(found)


def _divergence(divergence: Callable[[Tensor, Tensor], float], counts: Tensor, weights: Tensor) -> float:
    """Compute the KL of counts (K,); NaN if they are too few."""
    return divergence(counts, weights) if enough(int(counts.sum()), len(counts)) else math.nan


def corrected_kl(counts: Tensor, weights: Tensor) -> float:
    """Compute KL in nats of counts (K,) from weights (K,), less the mean bias of a histogram of so many draws."""
    return kl(counts, weights) - float((counts > 0).sum() - 1) / (2 * float(counts.sum()))
