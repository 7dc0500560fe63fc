"""What a run has held, so that its loss can be told from modes that were never learned."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from allmodes.data import Data
from allmodes.metrics.modes import chance

Results = Mapping[str, float]

COUNTED = ("modes", "stacked_modes", "classes")
"""Metrics that count what a model has captured; the first of them that a spec measures is watched."""
ABOVE = 2.0
"""How many times the high quality of chance a model must have before its modes count as held."""


def captured(results: Results) -> float:
    """How many modes (or classes) an evaluation found; NaN where none of the metrics counts them."""
    return next((results[key] for key in COUNTED if key in results), math.nan)


def most_held(evaluations: Iterable[Results], data: Data) -> float:
    """The most modes that any of the evaluations found, of those that found something held; 0 where none did.

    Held are half of all modes or more and, where quality is measured, more than twice the high quality of points
    scattered over the box that the modes span: such points hit many modes, too, and lose them by chance. Classes have
    no quality: there half of them are enough.
    """
    return max((captured(results) for results in evaluations if _held(results, data)), default=0.0)


def _held(results: Results, data: Data) -> bool:
    return captured(results) >= _all(data) / 2 and _better_than_chance(results, data)


def _better_than_chance(results: Results, data: Data) -> bool:
    if data.truth is None or "high_quality" not in results:
        return True
    return results["high_quality"] > ABOVE * chance(data.truth)


def _all(data: Data) -> int:
    """How many modes or classes there are."""
    return int(data.truth.present.sum()) if data.truth is not None else data.classes or 0
