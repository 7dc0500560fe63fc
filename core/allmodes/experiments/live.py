"""The progress of an experiment in a notebook: one output that shows bars, curves and the newest picture."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.experiments.live_rows import LiveRow, metric_curves, rows_table
from allmodes.experiments.progress import bar_fields, first_losses, measured
from allmodes.registry.hookspecs import hookimpl
from allmodes.specs.from_python import arguments_of
from allmodes.system.notebook import LiveDisplay
from allmodes.system.paths import near
from allmodes.text import curves, html
from allmodes.text.html import Html

if TYPE_CHECKING:
    from allmodes.runs.run import Outcome, Run
    from allmodes_schemas import Key, Spec

SAVED = "Interrupted, and saved. Go on with"
UNSAVED = "Interrupted twice, so at once: nothing was saved after the last checkpoint. Go on from there with"


def go_on(folder: Path, spec: Spec) -> str:
    """The Python that goes on with an experiment that was interrupted."""
    arguments = ", ".join(filter(None, (f'"{near(folder).as_posix()}"', arguments_of(spec))))
    return f"Experiment.resume({arguments}).run()"


class LiveRuns:
    """An observer that shows the seeds of an experiment in a notebook while they train."""

    def __init__(self) -> None:
        self._rows: dict[int, LiveRow] = {}
        self._numbers: Mapping[str, Key] = {}
        self._losses: dict[str, list[tuple[float, float]]] = {}
        self._picture: Path | None = None
        self._run: Run | None = None
        self._interrupted = SAVED
        self._display = LiveDisplay(self.html, self.text)

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """Begin the row of a seed."""
        total = run.spec.training.iterations
        self._rows[run.seed] = LiveRow(f"seed {run.seed}", total, run.iteration, "trains")
        self._run, self._losses, self._numbers = run, {}, run.spec.evaluation.numbers()
        self._display.draw(now=True)

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Move the bar, and add to the curves: of the seed that began last also its losses."""
        row = self._rows[run.seed]
        row.iteration = iteration
        row.fields |= bar_fields(metrics, self._numbers)
        row.measure(iteration, measured(metrics, self._numbers))
        if self._run is not None and run.seed == self._run.seed:
            self._add_losses(iteration, first_losses(metrics))
        self._display.draw()

    @hookimpl
    def allmodes_samples_drawn(self, run: Run, iteration: int, figure: Path, name: str) -> None:
        """Show the newest picture of samples."""
        if name == "samples":
            self._picture = figure

    @hookimpl
    def allmodes_run_finished(self, run: Run, outcome: Outcome) -> None:
        """Show how a seed ended."""
        row = self._rows.setdefault(run.seed, LiveRow(f"seed {run.seed}", run.spec.training.iterations))
        row.iteration, row.status = outcome.iteration, outcome.status
        row.status += f": {outcome.error}" if outcome.status == "failed" and outcome.error else ""
        row.status += f" early: {outcome.stopped}" if outcome.stopped else ""
        self._interrupted = UNSAVED if outcome.error else SAVED
        self._run = run
        self._display.draw(now=True)

    def html(self) -> Html:
        """Draw what is known now."""
        rows = list(self._rows.values())
        shown = (*metric_curves(rows), curves.draw("losses", self._losses), self._newest())
        return html.block(html.heading(self._title()), rows_table(rows), html.beside(*shown), self._advice())

    def text(self) -> str:
        """Write what is known now, for frontends that show no HTML."""
        return "\n".join((self._title(), *(row.text() for row in self._rows.values())))

    def _add_losses(self, iteration: int, losses: Mapping[str, float]) -> None:
        for player, value in losses.items():
            points = self._losses.setdefault(player, [])
            points.append((iteration, value))
            curves.thin(points)

    def _title(self) -> str:
        return "" if self._run is None else f"{self._run.spec.name}, in {near(self._run.folder.parent)}"

    def _newest(self) -> Html:
        with suppress(OSError):
            if self._picture is not None:
                return html.picture(self._picture.read_bytes(), self._picture.name)
        return Html("")

    def _advice(self) -> Html:
        """Say how to go on with seeds that were interrupted."""
        if self._run is None or not any(row.status == "killed" for row in self._rows.values()):
            return Html("")
        return html.block(html.line(self._interrupted), html.code(go_on(self._run.folder.parent, self._run.spec)))
