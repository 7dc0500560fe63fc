"""Comparisons as Python and notebooks show them: in a line, and as HTML."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from allmodes.studies.best import Mark
from allmodes.studies.sheets import Line, make_sheets
from allmodes.system.paths import near
from allmodes.text import html
from allmodes.text.html import Html

if TYPE_CHECKING:
    from allmodes.studies.comparison import Comparison

MARKS: dict[Mark, str] = {"": "{}", "best": "<b>{}</b>", "tied": "<u>{}</u>"}
NAMED = 10
"""Runs that are not finished which are listed; the others are counted."""


def comparison_text(comparison: Comparison) -> str:
    """Describe a comparison in a line: `Comparison(rings: finished, 2 methods, 4 runs; in runs/rings)`."""
    methods, runs = comparison.study.entries, comparison.study.runs
    finished = sum(run.state == "finished" for run in runs)
    counts = f"{len(methods)} {'method' if len(methods) == 1 else 'methods'}, {finished} of {len(runs)} runs finished"
    return f"Comparison({comparison.study.name}: {comparison.status}, {counts}; in {near(comparison.folder)})"


def comparison_html(comparison: Comparison) -> Html:
    """Show the table of each group, with what real data and reference samplers score, and what is not finished."""
    note = f"{comparison.status}, in {near(comparison.folder)}"
    return html.block(html.heading(comparison.study.name, note), *_groups(comparison), *_notes(comparison))


def _groups(comparison: Comparison) -> Iterator[Html]:
    for sheet in make_sheets(comparison, ("seconds",)):
        yield html.line(sheet.title)
        yield html.table(sheet.header, map(_cells, sheet.lines), range(2, len(sheet.header)))
        yield from (html.line(note.replace("**", "")) for note in sheet.notes)


def _cells(line: Line) -> list[str | Html]:
    return [line.title, line.seeds, *(Html(MARKS[cell.mark].format(html.escape(cell.text))) for cell in line.cells)]


def _notes(comparison: Comparison) -> Iterator[Html]:
    yield html.line("Mean ± standard error over the finished seeds. -: withheld, too little to measure.")
    left = [*comparison.unfinished, *(f"{name}: not begun" for name in comparison.waiting)]
    yield from map(html.line, left[:NAMED])
    yield html.line(f"and {len(left) - NAMED} more" if len(left) > NAMED else "")
    if left:
        yield html.line("The same call to compare() goes on with what is not finished.")
