"""The tables of a comparison as data: what they show, chosen and marked, for every format to lay out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from allmodes.runs import averages
from allmodes.studies import budgets
from allmodes.studies.best import Mark, Ranking, rank
from allmodes.studies.choices import AS_IS, COST_TITLES, Shown
from allmodes.studies.comparison import COSTS, Comparison, Group, Row
from allmodes.studies.statistics import values_of
from allmodes.text.numbers import quantity
from allmodes_schemas import Key

ARROWS = {"higher": "↑", "lower": "↓"}


@dataclass(frozen=True)
class Column:
    """A metric or a cost: its name, what the table calls it, and how its numbers are read."""

    name: str
    title: str
    key: Key

    @property
    def heading(self) -> str:
        """The title, with an arrow in the good direction if there is one."""
        return f"{self.title} {ARROWS[self.key.better]}" if self.key.better else self.title

    @property
    def is_cost(self) -> bool:
        """Whether it is a cost of a run."""
        return self.name in COSTS


@dataclass(frozen=True)
class Cell:
    """A number as text; it may be the best of its column, or one that no test tells from the best."""

    text: str
    mark: Mark = ""


@dataclass(frozen=True)
class Line:
    """A row: the method's label (or `real data`, or a reference sampler), how many seeds finished, and its cells."""

    title: str
    seeds: str
    cells: tuple[Cell, ...]

    @property
    def texts(self) -> list[str]:
        """The row without its marks."""
        return [self.title, self.seeds, *(cell.text for cell in self.cells)]


@dataclass(frozen=True)
class Sheet:
    """The table of a group: rows of real data and reference samplers `above` those of the methods, and notes.

    Before the columns of numbers are those of `settings` that vary among the methods, by their dotted paths.
    """

    title: str
    columns: tuple[Column, ...]
    above: tuple[Line, ...]
    methods: tuple[Line, ...]
    notes: tuple[str, ...]
    settings: tuple[str, ...] = ()

    @property
    def header(self) -> list[str]:
        """The headings of all columns."""
        return ["method", "seeds", *self.settings, *(column.heading for column in self.columns)]

    @property
    def cautions(self) -> list[str]:
        """Those of the notes that say what a reader may be misled by, as plain text."""
        return [note.replace("**", "") for note in self.notes if note.startswith("**")]

    @property
    def lines(self) -> list[Line]:
        """All rows."""
        return [*self.above, *self.methods]


def make_sheets(comparison: Comparison, costs: Sequence[str] = COSTS, varied: bool = True) -> list[Sheet]:
    """Make a table for each group, with the columns that were chosen, or all metrics and some costs.

    Settings that vary are columns, too, if they are asked for.
    """
    return [make_sheet(group, costs, comparison.study.shown, comparison.label, varied) for group in comparison.groups]


def make_sheet(
    group: Group,
    costs: Sequence[str] = COSTS,
    shown: Shown = AS_IS,
    label: Callable[[str], str] = str,
    varied: bool = True,
) -> Sheet:
    """Make the table of a group; `label` gives a method's label by its name."""
    settings = tuple(group.varied) if varied else ()
    columns = _columns(group, costs, shown)
    rankings = {column.name: rank(group, column.name) for column in columns if not column.is_cost}
    above = [_beside(title, numbers, columns, settings) for title, numbers in group.beside.items()]
    methods = [_line(label(row.method), row, columns, rankings, settings) for row in group.rows]
    notes = (*_explain(rankings, columns), *_warn(rankings, columns, group, label), budgets.describe(group))
    return Sheet(group.title, columns, tuple(above), tuple(methods), tuple(filter(None, notes)), settings)


def _columns(group: Group, costs: Sequence[str], shown: Shown) -> tuple[Column, ...]:
    names = shown.choose([*group.metrics, *COSTS], [*group.tabulated, *costs])
    titles = {**COST_TITLES, **shown.labels}
    return tuple(Column(name, titles.get(name, name), group.numbers.get(name, Key())) for name in names)


def _beside(title: str, numbers: Mapping[str, float], columns: Sequence[Column], settings: Sequence[str]) -> Line:
    each = ("" if column.is_cost else quantity(numbers.get(column.name), column.key.unit) for column in columns)
    return Line(title, "", tuple(map(Cell, ([""] * len(settings)) + list(each))))


def _line(
    title: str, row: Row, columns: Sequence[Column], rankings: Mapping[str, Ranking], settings: Sequence[str]
) -> Line:
    first = [Cell(setting(row, path, exact=False)) for path in settings]
    cells = [
        Cell(cost(row, column.name))
        if column.is_cost
        else Cell(mean(row, column.name, column.key.unit), rankings[column.name].marks.get(row.method, ""))
        for column in columns
    ]
    return Line(title, row.seeds, (*first, *cells))


def setting(row: Row, path: str, exact: bool = True) -> str:
    """Write a setting that varies as it stands in a spec; empty for a method that is no member of the sweep."""
    value = row.varied.get(path, "")
    if isinstance(value, float) and not exact:
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)


def mean(row: Row, metric: str, unit: str) -> str:
    """Format the mean over the finished seeds and, if some withheld the number, a count; empty if not computed."""
    if not any(metric in outcome.results for outcome in row.averaged):
        return ""
    values = row.values(metric)
    cell = quantity(averages.mean(values), unit, averages.standard_error(values))
    return cell + averages.over(values, len(row.averaged))


def cost(row: Row, name: str) -> str:
    """Format the mean cost over the finished seeds; empty without any."""
    value = row.costs.get(name)
    if value is None or math.isnan(value):
        return "" if value is None else "-"
    return f"{value:,.1f}" if name.endswith("seconds") else f"{value:,.0f}"


def _explain(rankings: Mapping[str, Ranking], columns: Sequence[Column]) -> Iterator[str]:
    """Explain the marks that a table has, and where there are too few seeds for any test."""
    marks = {mark for ranking in rankings.values() for mark in ranking.marks.values()}
    if "best" in marks:
        yield "Bold: the best mean of a column."
    if "tied" in marks:
        test = "paired permutation test over seeds, p > 0.05 after Holm's correction"
        yield f"Italic, or underlined: cannot be told from the best ({test})."
    if needed := max((ranking.needed for ranking in rankings.values()), default=0):
        where = [one.title for one in columns if one.name in rankings and rankings[one.name].needed]
        of = f" by {', '.join(where)}" if len(where) < sum(bool(one.marks) for one in rankings.values()) else ""
        yield f"Too few seeds for any test to tell a method from the best{of}: {needed} seeds could."


def _warn(
    rankings: Mapping[str, Ranking], columns: Sequence[Column], group: Group, label: Callable[[str], str]
) -> Iterator[str]:
    """Say which means could not be best for want of seeds, and which are best over fewer seeds than others have."""
    rows = {row.method: row for row in group.rows}
    ranked = [(one, rankings[one.name]) for one in columns if one.name in rankings]

    def name(column: Column, methods: Sequence[str]) -> Iterator[str]:
        for method in methods:
            seeds = f"{len(values_of(rows[method], column.name))} of {len(rows[method].states)} seeds"
            yield f"{column.title} of {label(method)} ({seeds})"

    if passed := [text for column, one in ranked for text in name(column, one.passed_over)]:
        yield f"**Not bold**, as more of their seeds are missing than of others: {', '.join(passed)}."
    if fewer := [text for column, one in ranked for text in name(column, one.fewer)]:
        yield f"**Bold over fewer seeds** than others have: {', '.join(fewer)}."
