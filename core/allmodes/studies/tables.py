"""Tables of a comparison: for the terminal, and as Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

from allmodes.runs import averages
from allmodes.studies.best import Mark
from allmodes.studies.comparison import Comparison, Group, Row, costs_of
from allmodes.studies.latex import tabular
from allmodes.studies.sheets import Cell, Line, Sheet, make_sheets, setting
from allmodes.system.durable import replace_text
from allmodes.system.paths import near
from allmodes.text.markdown import escape, table

NOTE = "`-`: withheld, too little to measure; (2 of 3): the mean is over the two of three seeds that have the number."
CSV_HEADER = ("data", "method", "seed", "status", "metric", "value")
STYLES: dict[Mark, str] = {"best": "bold", "tied": "italic"}
MARKDOWN: dict[Mark, str] = {"": "{}", "best": "**{}**", "tied": "*{}*"}


def write(comparison: Comparison) -> list[Path]:
    """Write `table.md`, `table.tex` and `table.csv` to the study's folder; returns the files."""
    texts = {"table.md": markdown(comparison), "table.tex": latex(comparison), "table.csv": long_csv(comparison)}
    return [replace_text(comparison.folder / name, text) for name, text in texts.items()]


def terminal(comparison: Comparison, width: int) -> Iterator[Table]:
    """Yield a table for each group: methods, seeds, the first metrics that fit into `width` letters, and seconds.

    Below it are cautions.
    """
    for sheet in make_sheets(comparison, ("seconds",), varied=False):  # members are named by what varies
        kept, hidden = _fit(sheet, width)
        rich = Table(title=f"{comparison.study.name}: {sheet.title}", title_justify="left", caption_justify="left")
        more = [f"{hidden} more in {near(comparison.folder / 'table.md')}"] if hidden else []
        rich.caption = Text("\n".join([*more, *sheet.cautions])) if more or sheet.cautions else None
        for i, place in enumerate(kept):
            rich.add_column(sheet.header[place], justify="right" if i else "left", overflow="fold")
        for line in sheet.lines:
            cells = [Cell(line.title), Cell(line.seeds), *line.cells]
            rich.add_row(*(_styled(cells[place]) for place in kept))
        yield rich


def _styled(cell: Cell) -> str | Text:
    return Text(cell.text, STYLES[cell.mark]) if cell.mark else cell.text


def _fit(sheet: Sheet, width: int) -> tuple[list[int], int]:
    """Drop the last columns but one until a table fits into a width; returns those kept and how many were dropped."""
    columns = list(zip(sheet.header, *(line.texts for line in sheet.lines), strict=True))
    kept, fixed = list(range(len(columns))), 4  # method, seeds, one metric, and seconds stay in any case
    while len(kept) > fixed and sum(3 + max(map(len, columns[place])) for place in kept) >= width:
        kept = [*kept[:-2], kept[-1]]
    return kept, len(columns) - len(kept)


def markdown(comparison: Comparison) -> str:
    """Format groups, means and costs, and list the runs that are not finished."""
    parts = [f"# {comparison.study.name}\n\nMean ± standard error over the finished seeds. {NOTE}\n"]
    parts += map(_section, make_sheets(comparison))
    if len(comparison.engines) > 1:
        parts.append(engines_note(comparison) + "\n")
    if comparison.unfinished:
        parts.append("Not finished, and in no mean:\n\n" + "".join(f"- {line}\n" for line in comparison.unfinished))
    if comparison.waiting:
        parts.append("Not begun:\n\n" + "".join(f"- {name}\n" for name in comparison.waiting))
    return "\n".join(parts)


def _section(sheet: Sheet) -> str:
    """A group's heading and table, with notes on its marks and where its budgets differ."""
    text = f"## {sheet.title}\n\n{table(sheet.header, map(_marked, sheet.lines))}"
    return "\n".join([text, *(f"{escape(note)}\n" for note in sheet.notes)])


def _marked(line: Line) -> list[str]:
    return [line.title, line.seeds, *(MARKDOWN[cell.mark].format(cell.text) for cell in line.cells)]


def engines_note(comparison: Comparison) -> str:
    """Say which methods each engine trained."""
    each = [f"{engine}: {', '.join(methods)}" for engine, methods in comparison.engines.items()]
    return f"Engines: {'; '.join(each)}. Seconds are compared within an engine alone."


def latex(comparison: Comparison) -> str:
    """Format a tabular for each group, with booktabs."""
    return "\n".join(map(tabular, make_sheets(comparison)))


def long_csv(comparison: Comparison) -> str:
    """Format CSV with a row for each method, seed and metric or cost, and for what real data and references score.

    Settings that vary are columns at the end.
    """
    varied = list(dict.fromkeys(path for group in comparison.groups for path in group.varied))
    lines = (line for group in comparison.groups for line in _long_lines(group, varied))
    return format_csv([(*CSV_HEADER, *varied), *lines])


def wide_csv(comparison: Comparison) -> str:
    """Format CSV with the columns of the table: mean, standard error and finished seeds with the number, unrounded."""
    lines: list[Sequence[object]] = []
    for group, sheet in zip(comparison.groups, make_sheets(comparison), strict=True):
        names = [column.name for column in sheet.columns]
        each = [f"{name}{part}" for name in names for part in ("", "_se", "_seeds")]
        lines += [("data", "method", "label", *sheet.settings, *each)]
        for row in group.rows:
            cells = [cell for name in names for cell in _summary(row, name)]
            settings = [setting(row, path) for path in sheet.settings]
            lines.append((group.title, row.method, comparison.label(row.method), *settings, *cells))
    return format_csv(lines)


def format_csv(lines: Sequence[Sequence[object]]) -> str:
    """Format lines as CSV."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(lines)
    return file.getvalue()


def _long_lines(group: Group, varied: Sequence[str]) -> Iterator[Sequence[object]]:
    none = [""] * len(varied)
    for title, numbers in group.beside.items():
        yield from ((group.title, title, "", "", name, _cell(value), *none) for name, value in numbers.items())
    for row in group.rows:
        settings = [setting(row, path) for path in varied]
        yield from ((group.title, row.method, *line, *settings) for line in _seed_rows(row))


def _seed_rows(row: Row) -> Iterator[tuple[int, str, str, float | str]]:
    """Yield seed, status, metric and value; a seed without numbers has one row."""
    for seed, state in row.states.items():
        outcome = row.outcomes.get(seed)
        numbers = {} if outcome is None else {**outcome.results, **costs_of(outcome)}
        for name, value in numbers.items():
            yield seed, state, name, _cell(value)
        if not numbers:
            yield seed, state, "", ""


def _summary(row: Row, name: str) -> tuple[float | str, float | str, int]:
    """The mean of a metric or a cost, its standard error, and how many finished seeds it is over."""
    numbers = [{**outcome.results, **costs_of(outcome)} for outcome in row.finished.values()]
    values = averages.known([one[name] for one in numbers if name in one])
    return _cell(averages.mean(values)), _cell(averages.standard_error(values)), len(values)


def _cell(value: float) -> float | str:
    """Leave a withheld number empty."""
    return "" if math.isnan(value) else value
