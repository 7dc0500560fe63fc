"""Samplers without a game beside methods: as many draws of each as methods have seeds, and an unpaired test."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import permutation_test

from allmodes.data.base import Data
from allmodes.game.noise import rng
from allmodes.metrics import ReferenceSampler, build_metrics, measure_reference
from allmodes.registry.builds import build
from allmodes.studies.inference import holm
from allmodes_schemas import Spec

KEY = "w1"
SAMPLERS = ("bootstrap", "em")
"""Kinds of reference samplers that methods are tested against: a copy of the training set is no peer."""
RESAMPLES = 2**14
LEVEL = 0.05
Draws = dict[str, list[float]]
"""The criterion of each draw of a sampler, by the sampler's row."""


def draw(spec: Spec, repeats: int, file: Path) -> Draws:
    """Fit each reference sampler of a spec once, and measure draws of it; kept in a file, which a second call reads.

    Each draw is held against held-out items of its own, as each seed of a method is.
    """
    if file.exists():
        return {row: list(values) for row, values in json.loads(file.read_text("utf-8")).items()}
    data, metrics = build("data", Data, spec.data), build_metrics(spec.evaluation.metrics)
    for metric in metrics.values():
        metric.prepare(data)
    found: Draws = {}
    for config in spec.evaluation.references:
        sampler = build("reference", ReferenceSampler, config)
        sampler.fit(data, rng(0, "reference"))
        scores = [measure_reference(sampler, metrics, data, spec.evaluation.samples, i, 1) for i in range(repeats)]
        found[config.row()] = [each[title][KEY][0] for each in scores for title in metrics]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def judge(methods: Mapping[str, Sequence[float]], draws: Draws) -> dict[str, dict[str, str]]:
    """Which samplers each method is `better` or `worse` than, by Holm's correction for all tests together."""
    pairs = [(method, row) for method in methods for row in draws]
    corrected = holm([unpaired_p(methods[method], draws[row]) for method, row in pairs])
    found: dict[str, dict[str, str]] = {method: {} for method in methods}
    for (method, row), p in zip(pairs, corrected, strict=True):
        if p <= LEVEL:
            found[method][row] = "better" if np.mean(methods[method]) < np.mean(draws[row]) else "worse"
    return found


def unpaired_p(one: Sequence[float], other: Sequence[float]) -> float:
    """Two-sided p of an unpaired permutation test of the difference of means; NaN for fewer than two values."""
    if min(len(one), len(other)) < 2 or not np.isfinite([*one, *other]).all():
        return math.nan

    def difference(x: Any, y: Any, axis: int) -> Any:
        return x.mean(axis) - y.mean(axis)

    test = permutation_test(
        (np.asarray(one), np.asarray(other)),
        difference,
        vectorized=True,
        n_resamples=RESAMPLES,
        rng=np.random.default_rng(0),
    )
    return float(test.pvalue)
