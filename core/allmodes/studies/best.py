"""Which method of a group is best by a metric, and which cannot be told from it by a paired test over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from allmodes.studies.comparison import Group, Row
from allmodes.studies.inference import LEVEL, holm, least_p, paired_p
from allmodes.studies.statistics import values_of
from allmodes_schemas import Key

Mark = Literal["", "best", "tied"]

SLACK = 1e-12
"""What rounding may add to a p or to the difference of two equal means."""


@dataclass(frozen=True)
class Ranking:
    """A mark for each method, by a metric.

    `tied` are methods that no test tells from the best; `needed` is the number of seeds that a test would need, where
    there are too few for any (then none is tied), else 0. `passed_over` are methods that are not best though their mean
    is as good, as more of their seeds lack the number than of others; `fewer` are best ones over fewer seeds than
    another method has.
    """

    marks: Mapping[str, Mark] = field(default_factory=dict)
    needed: int = 0
    passed_over: tuple[str, ...] = ()
    fewer: tuple[str, ...] = ()


def rank(group: Group, metric: str) -> Ranking:
    """Mark the best means in a metric's good direction, and methods that a test cannot tell from the first of them.

    Only methods that lack the fewest of their seeds can be best: a mean over those that did not fail flatters. The test
    is a paired permutation test on the seeds that both have, at a level of 5 % after Holm's correction for the number
    of methods. A group of one method, and a metric without a good direction, have no marks.
    """
    better = group.numbers.get(metric, Key()).better
    rows = {row.method: row for row in group.rows if math.isfinite(_mean(row, metric))}
    if better is None or len(rows) < 2:
        return Ranking()
    sign = 1 if better == "higher" else -1
    scores = {method: sign * _mean(row, metric) for method, row in rows.items()}
    lacking = {method: len(row.states) - len(values_of(row, metric)) for method, row in rows.items()}
    whole = [method for method in rows if lacking[method] == min(lacking.values())]
    top = max(scores[method] for method in whole)
    as_good = [method for method, score in scores.items() if score > top or _is_equal(score, top)]
    best = [method for method in as_good if method in whole]
    tied, needed = _tie(rows[best[0]], [row for method, row in rows.items() if method not in best], metric)
    marks: dict[str, Mark] = {**dict.fromkeys(best, "best"), **dict.fromkeys(tied, "tied")}
    most = max(len(values_of(row, metric)) for row in rows.values())
    fewer = tuple(method for method in best if len(values_of(rows[method], metric)) < most)
    return Ranking(marks, needed, tuple(method for method in as_good if method not in whole), fewer)


def _is_equal(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=SLACK, abs_tol=SLACK)


def _mean(row: Row, metric: str) -> float:
    values = list(values_of(row, metric).values())
    return math.fsum(values) / len(values) if values else math.nan


def _tie(best: Row, others: list[Row], metric: str) -> tuple[list[str], int]:
    """The methods that no test tells from the best, or how many seeds could tell any."""
    pairs = {row.method: _pairs(best, row, metric) for row in others}
    most = max((len(found) for found in pairs.values()), default=0)
    if others and (most < 2 or least_p(most, len(others)) > 1 - LEVEL + SLACK):
        return [], math.ceil(1 + math.log2(len(others) / (1 - LEVEL)) - SLACK)
    ps = holm([paired_p([one for one, _ in found], [other for _, other in found]) for found in pairs.values()])
    return [method for method, p in zip(pairs, ps, strict=True) if p > 1 - LEVEL + SLACK], 0  # NaN: nothing was tested


def _pairs(best: Row, row: Row, metric: str) -> list[tuple[float, float]]:
    mine, theirs = values_of(row, metric), values_of(best, metric)
    return [(value, theirs[seed]) for seed, value in mine.items() if seed in theirs]
