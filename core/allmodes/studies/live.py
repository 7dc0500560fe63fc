"""The progress of a study in a notebook: one output with a table of its runs, and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from allmodes.experiments.live_rows import LiveRow, metric_curves, rows_table
from allmodes.studies.study import StudyRun
from allmodes.system.notebook import LiveDisplay
from allmodes.system.paths import near
from allmodes.text import html
from allmodes.text.html import Html

MOST = 40
"""Rows that are shown: those in training first, then those that wait, then those that ended."""
ORDER = {"trains": 0, "waits": 1}


class LiveStudy:
    """A view of a study's progress for notebooks."""

    def __init__(self) -> None:
        self._rows: dict[str, LiveRow] = {}
        self._title, self._is_over = "", False
        self._display = LiveDisplay(self.html, self.text)

    def begin(self, runs: Sequence[StudyRun], unfinished: Sequence[StudyRun]) -> None:
        """Show all runs."""
        left = {run.name for run in unfinished}
        for run in runs:
            row = LiveRow(run.name, run.iterations)
            if run.name not in left:
                row.iteration, row.status = run.iterations, "finished"
            self._rows[run.name] = row
        self._title = f"in {near(runs[0].entry.folder.parent)}" if runs else ""
        self._display.draw(now=True)

    def advance(self, run: StudyRun, iteration: int) -> None:
        """Move the bar of a run."""
        row = self._rows[run.name]
        row.iteration, row.status = iteration, "trains"
        self._display.draw()

    def measure(self, run: StudyRun, iteration: int, numbers: Mapping[str, float]) -> None:
        """Add what an evaluation of a run measured."""
        row = self._rows[run.name]
        row.measure(iteration, numbers)
        row.fields |= {name: f"{value:.4g}" for name, value in list(numbers.items())[:2]}
        self._display.draw()

    def end(self, run: StudyRun, status: str) -> None:
        """Show how a run ended."""
        row = self._rows[run.name]
        row.status = status
        if status == "finished":
            row.iteration = row.total
        self._display.draw()

    def close(self) -> None:
        """Show how the study ended."""
        self._is_over = True
        self._display.draw(now=True)

    def html(self) -> Html:
        """Draw what is known now."""
        rows = sorted(self._rows.values(), key=lambda row: ORDER.get(row.status, 2))
        more = f"{len(rows) - MOST} more runs" if len(rows) > MOST else ""
        parts = (rows_table(rows[:MOST]), html.line(more), html.beside(*metric_curves(self._rows.values())))
        return html.block(html.heading(self._count(), self._title), *parts, self._advice())

    def text(self) -> str:
        """Write what is known now, for frontends that show no HTML."""
        return "\n".join((f"{self._count()}, {self._title}", *(row.text() for row in self._rows.values())))

    def _count(self) -> str:
        finished = sum(row.status == "finished" for row in self._rows.values())
        return f"{finished} of {len(self._rows)} runs finished"

    def _advice(self) -> Html:
        left = any(row.status != "finished" for row in self._rows.values())
        text = "What was begun is saved. The same call to compare() goes on with what is not finished."
        return html.line(text if self._is_over and left else "")
