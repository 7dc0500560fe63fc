"""Collapse: modes that a run held and lost, which is not the same as modes that it never learned."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence

from allmodes.data.base import Data
from allmodes.metrics import Metric
from allmodes.metrics.measure import Warn, measure_chance
from allmodes_schemas import Key

Results = Mapping[str, float]

ABOVE = 2.0
"""A number is above chance if it exceeds that of an untrained sampler by this factor."""


class CollapseDetector:
    """Compares the modes (or classes) that are left with the most that the run held.

    The first number of the spec that counts modes is watched. Held are half of all modes or more, while the numbers
    whose chance is known are above it: points scattered over the range of the data hit many modes, too, and lose them
    by chance.
    """

    def __init__(
        self, numbers: Mapping[str, Key], metrics: Iterable[Metric], data: Data, warn: Warn = warnings.warn
    ) -> None:
        self.key = next((key for key, number in numbers.items() if number.counts), "")
        self.label = numbers[self.key].label or "modes" if self.key else ""
        self.total = int(data.truth.present.sum()) if data.truth is not None else data.classes or 0
        self.chance = measure_chance(metrics, data, warn)

    def find(self, evaluations: Sequence[Results]) -> str:
        """Describe what the last evaluation lost, such as `3 of 8 modes are left`; empty where it lost less than half.

        Args:
            evaluations: The numbers of all evaluations, at least one.
        """
        left, most = self._count(evaluations[-1]), self.most_held(evaluations[:-1])
        return f"{left:.0f} of {most:.0f} {self.label} are left" if most > 1 and left <= most / 2 else ""

    def most_held(self, evaluations: Iterable[Results]) -> float:
        """Return the most modes that any evaluation found and that count as held; 0 where there are none."""
        evaluations = tuple(evaluations)
        known = {key: value for key, value in self.chance.items() if any(key in results for results in evaluations)}
        return max((self._count(results) for results in evaluations if self._holds(results, known)), default=0.0)

    def _count(self, results: Results) -> float:
        count = results.get(self.key, math.nan)
        return count if math.isfinite(count) else math.nan

    def _holds(self, results: Results, chance: Results) -> bool:
        """Whether modes are held, which nobody knows where a number that is measured elsewhere was not due."""
        above = all(results.get(key, math.nan) > ABOVE * value for key, value in chance.items())
        return self._count(results) >= self.total / 2 and above
