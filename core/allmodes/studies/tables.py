"""Tables of a comparison: for the terminal, and as Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table

from allmodes.runs import averages
from allmodes.studies import budgets
from allmodes.studies.comparison import COSTS, Comparison, Group, Row, costs_of
from allmodes.system.durable import replace_text
from allmodes.system.paths import near
from allmodes.text.markdown import table
from allmodes.text.numbers import quantity
from allmodes_schemas import Key

COST_TITLES = {
    "images": "images seen",
    "generator_updates": "G updates",
    "discriminator_updates": "D updates",
    "generator_parameters": "G parameters",
    "discriminator_parameters": "D parameters",
    "other_parameters": "other parameters",
    "seconds": "seconds",
    "cpu_seconds": "CPU seconds",
}
NOTE = "`-`: withheld, too little to measure; (2 of 3): the mean is over the two of three seeds that have the number."
CSV_HEADER = ("data", "method", "seed", "status", "metric", "value")
TEX_ESCAPES = {"\\": r"\textbackslash{}", **{sign: f"\\{sign}" for sign in "&%$#_{}"}, "±": r"$\pm$"}


def write(comparison: Comparison) -> list[Path]:
    """Write `table.md`, `table.tex` and `table.csv` to the study's folder; returns the files."""
    texts = {"table.md": markdown(comparison), "table.tex": latex(comparison), "table.csv": long_csv(comparison)}
    return [replace_text(comparison.folder / name, text) for name, text in texts.items()]


def terminal(comparison: Comparison, width: int) -> Iterator[Table]:
    """Yield a table for each group: methods, seeds, the first metrics that fit into `width` letters, and seconds."""
    for group in comparison.groups:
        columns = list(zip(_header(group, ("seconds",)), *_rows(group, ("seconds",)), strict=True))
        kept, hidden = _fit(columns, width)
        rich = Table(title=f"{comparison.study.name}: {group.title}", title_justify="left")
        rich.caption = f"{hidden} more in {near(comparison.folder / 'table.md')}" if hidden else None
        for i, (name, *_) in enumerate(kept):
            rich.add_column(name, justify="right" if i else "left", overflow="fold")
        for cells in zip(*(cells for _, *cells in kept), strict=True):
            rich.add_row(*cells)
        yield rich


def cells(group: Group) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a group's table, with seconds as its only cost."""
    return _header(group, ("seconds",)), list(_rows(group, ("seconds",)))


def _fit(columns: list[tuple[str, ...]], width: int) -> tuple[list[tuple[str, ...]], int]:
    """Drop the last metrics until the columns fit into a width; returns the columns and how many were dropped."""
    hidden, fixed = 0, 4  # method, seeds, one metric, and seconds stay in any case
    while len(columns) > fixed and sum(3 + max(map(len, column)) for column in columns) >= width:
        columns = [*columns[:-2], columns[-1]]
        hidden += 1
    return columns, hidden


def markdown(comparison: Comparison) -> str:
    """Format groups, means and costs, and list the runs that are not finished."""
    parts = [f"# {comparison.study.name}\n\nMean ± standard error over the finished seeds. {NOTE}\n"]
    parts += [_section(one) for one in comparison.groups]
    if len(comparison.engines) > 1:
        parts.append(engines_note(comparison) + "\n")
    if comparison.unfinished:
        parts.append("Not finished, and in no mean:\n\n" + "".join(f"- {line}\n" for line in comparison.unfinished))
    if comparison.waiting:
        parts.append("Not begun:\n\n" + "".join(f"- {name}\n" for name in comparison.waiting))
    return "\n".join(parts)


def _section(group: Group) -> str:
    """A group's heading and table, with a note where its budgets differ."""
    note = budgets.describe(group)
    text = f"## {group.title}\n\n{table(_header(group, COSTS), _rows(group, COSTS))}"
    return f"{text}\n{note}\n" if note else text


def engines_note(comparison: Comparison) -> str:
    """Say which methods each engine trained."""
    each = [f"{engine}: {', '.join(methods)}" for engine, methods in comparison.engines.items()]
    return f"Engines: {'; '.join(each)}. Seconds are compared within an engine alone."


def latex(comparison: Comparison) -> str:
    """Format a tabular for each group, with booktabs."""
    return "\n".join(_tabular(group) for group in comparison.groups)


def long_csv(comparison: Comparison) -> str:
    """Format CSV with a row for each method, seed and metric or cost, and for what real data and references score."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for group in comparison.groups:
        for title, numbers in group.beside.items():
            writer.writerows((group.title, title, "", "", name, _cell(value)) for name, value in numbers.items())
        for row in group.rows:
            writer.writerows((group.title, row.method, *line) for line in _seed_rows(row))
    return file.getvalue()


def _header(group: Group, costs: Sequence[str]) -> list[str]:
    return ["method", "seeds", *group.tabulated, *(COST_TITLES[name] for name in costs)]


def _rows(group: Group, costs: Sequence[str]) -> Iterator[list[str]]:
    units = {name: group.numbers.get(name, Key()).unit for name in group.tabulated}
    for title, numbers in group.beside.items():
        yield [title, "", *(quantity(numbers.get(name), unit) for name, unit in units.items()), *[""] * len(costs)]
    for row in group.rows:
        metrics = [_mean(row, name, unit) for name, unit in units.items()]
        yield [row.method, row.seeds, *metrics, *(_cost(row, name) for name in costs)]


def _mean(row: Row, metric: str, unit: str) -> str:
    """Format the mean over the finished seeds and, if some withheld the number, a count; empty if not computed."""
    if not any(metric in outcome.results for outcome in row.averaged):
        return ""
    values = row.values(metric)
    cell = quantity(averages.mean(values), unit, averages.standard_error(values))
    return cell + averages.over(values, len(row.averaged))


def _cost(row: Row, name: str) -> str:
    value = row.costs.get(name)
    if value is None or math.isnan(value):
        return "" if value is None else "-"
    return f"{value:,.1f}" if name.endswith("seconds") else f"{value:,.0f}"


def _seed_rows(row: Row) -> Iterator[tuple[int, str, str, float | str]]:
    """Yield seed, status, metric and value; a seed without numbers has one row."""
    for seed, state in row.states.items():
        outcome = row.outcomes.get(seed)
        numbers = {} if outcome is None else {**outcome.results, **costs_of(outcome)}
        for name, value in numbers.items():
            yield seed, state, name, _cell(value)
        if not numbers:
            yield seed, state, "", ""


def _cell(value: float) -> float | str:
    """Leave a withheld number empty."""
    return "" if math.isnan(value) else value


def _tabular(group: Group) -> str:
    header, rows, above = _header(group, COSTS), list(_rows(group, COSTS)), len(group.beside)
    lines = [
        f"% {group.title}",
        rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        r"\toprule",
        _line(header),
        r"\midrule",
        *map(_line, rows[:above]),
        r"\midrule",
        *map(_line, rows[above:]),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return " & ".join("".join(TEX_ESCAPES.get(sign, sign) for sign in cell) for cell in cells) + r" \\"
