"""What stands for a study among others: the numbers of its best methods."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from allmodes.runs import averages
from allmodes.studies.best import rank
from allmodes.studies.comparison import Comparison, Group, Row
from allmodes_schemas import Key


@dataclass(frozen=True)
class Headline:
    """The best methods of a study.

    Attributes:
        numbers: The means of the best method by metric, `best/w1`, with their standard errors, `best/w1_se`; of several
            data `best/ring/w1`.
        method: The best method, or all that are; of several data `ring: plain; grid: wide`.
        by: The metric that decides: the first that has a good direction.
    """

    numbers: dict[str, float] = field(default_factory=dict)
    method: str = ""
    by: str = ""


def find_headline(comparison: Comparison) -> Headline:
    """The best methods on each of the data of a comparison, as its tables mark them; empty where none has a number."""
    numbers, methods, bys = dict[str, float](), list[str](), list[str]()
    for name, group in _named(comparison.groups):
        by = next((one for one in group.tabulated if group.numbers.get(one, Key()).better), "")
        if found := _best(group, by):
            numbers |= {f"best/{name}{key}": value for key, value in _means(found[0], group)}
            methods.append(f"{name.replace('/', ': ')}{', '.join(row.method for row in found)}")
            bys.append(by)
    return Headline(numbers, "; ".join(methods), ", ".join(dict.fromkeys(bys)))


def _named(groups: list[Group]) -> Iterator[tuple[str, Group]]:
    """Each group after the name that its numbers begin with: none of one group, else the kind of its data."""
    seen: dict[str, int] = {}
    for group in groups:
        kind = group.title.split(" ")[0].rstrip(",")
        seen[kind] = seen.get(kind, 0) + 1
        again = f"-{seen[kind]}" if seen[kind] > 1 else ""
        yield f"{kind}{again}/" if len(groups) > 1 else "", group


def _best(group: Group, by: str) -> list[Row]:
    """The methods that are best by a metric, or the only one that has it."""
    known = [row for row in group.rows if math.isfinite(averages.mean(row.values(by)))] if by else []
    marks = rank(group, by).marks
    return [row for row in known if marks.get(row.method) == "best"] if len(known) > 1 else known


def _means(row: Row, group: Group) -> Iterator[tuple[str, float]]:
    for metric in group.tabulated:
        values = row.values(metric)
        pairs = {metric: averages.mean(values), f"{metric}_se": averages.standard_error(values)}
        yield from ((key, value) for key, value in pairs.items() if math.isfinite(value))
