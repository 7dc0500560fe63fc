"""Early stopping: a run ends where a number of its evaluations has not improved for some of them.

All follows from the evaluations so far, which a checkpoint holds; so a resumed run stops where an unbroken one does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from allmodes.text.numbers import number
from allmodes_schemas import EarlyStoppingConfig, Key, Spec

History = Sequence[tuple[int, Mapping[str, float]]]
"""The numbers of each evaluation, with its iteration."""


@dataclass(frozen=True)
class Best:
    """The best value so far, the iteration of its evaluation, and how many have been made since then."""

    value: float
    iteration: int
    since: int = 0


def sign_of(spec: Spec, key: str) -> int:
    """1 where more of a number is better, -1 where less is."""
    config, better = spec.training.early_stopping, spec.evaluation.numbers().get(key, Key()).better
    if config is not None and config.metric == key and config.better != "auto":
        better = config.better
    return -1 if better == "lower" else 1


def find_best(spec: Spec, config: EarlyStoppingConfig, history: History) -> Best | None:
    """The best value by which improvements are told; None before the first finite one.

    An evaluation that withheld the number counts, after a first value, as one without improvement; one that did not
    measure it does not count.
    """
    sign, best = sign_of(spec, config.metric), None
    for iteration, results in history:
        if iteration < config.start or config.metric not in results:
            continue
        value = results[config.metric]
        if math.isfinite(value) and (best is None or sign * (value - best.value) > config.least):
            best = Best(value, iteration)
        elif best is not None:
            best = Best(best.value, best.iteration, best.since + 1)
    return best


def why_stop(spec: Spec, history: History) -> str:
    """Why a run is to stop after the last of these evaluations; empty where it is to go on."""
    if (config := spec.training.early_stopping) is None:
        return ""
    best = find_best(spec, config, history)
    if best is None or best.since < config.patience:
        return ""
    evaluations = f"{best.since} evaluation{'s' if best.since > 1 else ''}"
    return f"{config.metric} has not improved for {evaluations}: {number(best.value)} at iteration {best.iteration:,}"
