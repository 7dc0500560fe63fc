"""Comparisons as Python and notebooks show them: in a line, and as HTML."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from allmodes.studies import budgets, tables
from allmodes.system.paths import near
from allmodes.text import html
from allmodes.text.html import Html

if TYPE_CHECKING:
    from allmodes.studies.comparison import Comparison

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
    for group in comparison.groups:
        yield html.line(group.title)
        yield html.table(*tables.cells(group))
        yield html.line(budgets.describe(group).replace("**", ""))


def _notes(comparison: Comparison) -> Iterator[Html]:
    yield html.line("Mean ± standard error over the finished seeds. -: withheld, too little to measure.")
    left = [*comparison.unfinished, *(f"{name}: not begun" for name in comparison.waiting)]
    yield from map(html.line, left[:NAMED])
    yield html.line(f"and {len(left) - NAMED} more" if len(left) > NAMED else "")
    if left:
        yield html.line("The same call to compare() goes on with what is not finished.")
