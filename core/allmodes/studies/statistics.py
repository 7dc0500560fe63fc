"""The statistics of a comparison: an interval for each mean, and paired tests against one method, the baseline."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from allmodes.runs import averages
from allmodes.studies import budgets
from allmodes.studies.comparison import Comparison, Group, Row
from allmodes.studies.inference import LEVEL, holm, interval, least_p, paired_p
from allmodes.system.durable import replace_text
from allmodes.text.markdown import table
from allmodes.text.numbers import number, quantity
from allmodes_schemas import Key

HEADER = ("method", "seeds", "mean", "95 % interval", "difference", "pairs", "p", "p (Holm)", "")
CSV_HEADER = (
    "data",
    "metric",
    "method",
    "seeds",
    "mean",
    "low",
    "high",
    "difference",
    "pairs",
    "p",
    "p_holm",
    "verdict",
)
INTRODUCTION = """
Intervals are bootstrap intervals of the mean over seeds (BCa, nominally 95 %; of ten seeds they are somewhat too
narrow). Each method is compared with the baseline on the seeds that both have: the p of a paired permutation test of
the mean difference, two-sided, and the same corrected for the number of methods on these data and this metric (Holm).
Equal seeds draw equal data. `better` and `worse` say that the corrected p is at most 0.05, in a metric that has a good
direction; an empty cell does not say that two methods are equal. Several metrics and several data are not corrected
for each other. Seeds that did not finish, or withheld a number, are in no test: look at `seeds` and `pairs`.
"""


@dataclass(frozen=True)
class Line:
    """A method's number: its mean and interval over `seeds`, and its difference to the baseline on common seeds."""

    method: str
    seeds: int
    mean: float
    low: float
    high: float
    difference: float = math.nan
    pairs: int = 0
    p: float = math.nan
    corrected: float = math.nan
    verdict: str = ""


def write(comparison: Comparison) -> list[Path]:
    """Write `statistics.md` and `statistics.csv` to the study's folder; returns the files."""
    each = [(group, _lines_of(group, comparison.against)) for group in comparison.groups]
    texts = {"statistics.md": _markdown(comparison, each), "statistics.csv": _csv(each)}
    return [replace_text(comparison.folder / name, text) for name, text in texts.items()]


def baseline_of(group: Group, pattern: str) -> Row | None:
    """The first method of a group whose name is, or matches, a pattern; without a pattern the first method."""
    return next((row for row in group.rows if not pattern or fnmatchcase(row.method, pattern)), None)


def lines(group: Group, metric: str, baseline: Row | None) -> list[Line]:
    """The numbers of a metric, a line for each method with a number, in the order of the methods."""
    found = [line for row in group.rows if (line := _line(row, metric, baseline)) is not None]
    corrected = holm([line.p for line in found])
    better = group.numbers.get(metric, Key()).better
    return [_judged(line, p, better) for line, p in zip(found, corrected, strict=True)]


Lines = dict[str, list[Line]]


def _lines_of(group: Group, pattern: str) -> Lines:
    baseline = baseline_of(group, pattern)
    return {metric: found for metric in group.tabulated if (found := lines(group, metric, baseline))}


def _line(row: Row, metric: str, baseline: Row | None) -> Line | None:
    import numpy as np

    values = values_of(row, metric)
    if not values:
        return None
    low, high = interval(np.array(list(values.values())))
    line = Line(row.method, len(values), averages.mean(list(values.values())), float(low), float(high))
    if baseline is None or baseline.method == row.method:
        return line
    others = values_of(baseline, metric)
    common = [(value, others[seed]) for seed, value in values.items() if seed in others]
    mine, theirs = [one for one, _ in common], [other for _, other in common]
    difference = averages.mean([one - other for one, other in common])
    return Line(**{**vars(line), "difference": difference, "pairs": len(common), "p": paired_p(mine, theirs)})


def values_of(row: Row, metric: str) -> dict[int, float]:
    """The finite numbers of the finished seeds, by seed."""
    found = {seed: outcome.results.get(metric, math.nan) for seed, outcome in row.finished.items()}
    return {seed: value for seed, value in found.items() if math.isfinite(value)}


def _judged(line: Line, corrected: float, better: str | None) -> Line:
    is_higher = line.difference > 0
    verdict = "better" if is_higher == (better == "higher") else "worse"
    is_clear = better is not None and corrected <= 1 - LEVEL + 1e-12
    return Line(**{**vars(line), "corrected": corrected, "verdict": verdict if is_clear else ""})


def _markdown(comparison: Comparison, each: Sequence[tuple[Group, Lines]]) -> str:
    parts = [f"# {comparison.study.name}: statistics\n{INTRODUCTION}"]
    for group, by_metric in each:
        parts.append("\n".join(_section(group, by_metric, comparison.against)))
    return "\n".join(parts)


def _section(group: Group, by_metric: Lines, pattern: str) -> Iterator[str]:
    baseline = baseline_of(group, pattern)
    against = f"Baseline: {baseline.method}." if baseline else f"No method matches {pattern}: there are no tests."
    yield f"## {group.title}\n\n{against}{_power(by_metric)}\n"
    if note := budgets.describe(group):
        yield f"{note}\n"
    for metric, found in by_metric.items():
        unit = group.numbers.get(metric, Key()).unit
        floor = f" (real data: {quantity(group.floors[metric], unit)})" if metric in group.floors else ""
        yield f"### {metric}{floor}\n\n{table(HEADER, (cells(line, unit) for line in found))}"


def _power(by_metric: Lines) -> str:
    """Say so where there are too few seeds for any test to be clear after the correction."""
    tests = [line for found in by_metric.values() for line in found if line.pairs]
    methods = max((sum(line.pairs > 0 for line in found) for found in by_metric.values()), default=0)
    pairs = max((line.pairs for line in tests), default=0)
    least = least_p(pairs, methods)
    if not tests or least <= 1 - LEVEL + 1e-12:
        return ""
    needed = math.ceil(1 + math.log2(methods / (1 - LEVEL)))
    return f" With {pairs} seeds no corrected p is below {least:.2g}: {needed} seeds could tell methods apart."


def cells(line: Line, unit: str) -> list[str]:
    """The cells of a method's row, as `HEADER` names them."""
    ends = f"{quantity(line.low, unit)} to {quantity(line.high, unit)}"
    shown = [line.method, str(line.seeds), quantity(line.mean, unit), "-" if math.isnan(line.low) else ends]
    if not line.pairs:
        return [*shown, "", "", "", "", ""]
    signed = f"{'+' if line.difference > 0 else ''}{quantity(line.difference, unit)}"
    return [*shown, signed, str(line.pairs), number(line.p), number(line.corrected), line.verdict]


def _csv(each: Sequence[tuple[Group, Lines]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for group, by_metric in each:
        for metric, found in by_metric.items():
            writer.writerows((group.title, metric, *_row(line)) for line in found)
    return file.getvalue()


def _row(line: Line) -> list[object]:
    return ["" if isinstance(value, float) and math.isnan(value) else value for value in vars(line).values()]
