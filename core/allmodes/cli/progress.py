"""Progress bars: of a run, and of the runs of a study."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from allmodes.experiments import logs
from allmodes.registry.hookspecs import hookimpl

if TYPE_CHECKING:
    from allmodes.runs.run import Outcome, Run
    from allmodes.studies.study import StudyRun

WIDE = 110  # columns of a terminal on which everything has room


def _column(text: str, style: str = "none") -> TextColumn:
    """A column of a bar whose words are no markup."""
    return TextColumn(text, style, markup=False)


class Terminal:
    """An observer that shows a bar with rate, losses and modes; silent where nobody watches."""

    def __init__(self, console: Console) -> None:
        wide = console.width >= WIDE
        self.progress = Progress(
            _column("{task.description}"),
            BarColumn(bar_width=24 if wide else 8),
            _column("{task.completed:,.0f}/{task.total:,.0f}"),
            _column("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            _column("{task.fields[modes]}", "bold"),
            _column("{task.fields[losses]}", "dim"),
            console=console,
            disable=not console.is_terminal,
            refresh_per_second=4,
        )
        self.task: TaskID | None = None

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """Begin a bar, below a line that says where the run lies."""
        logs.LOGGER.info(logs.beginning(run))
        self.progress.start()
        total = run.spec.training.iterations
        self.task = self.progress.add_task(
            f"seed {run.seed}", total=total, completed=run.iteration, rate="", modes="", losses=""
        )

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Move the bar and renew its numbers; of each player's losses the first is shown, its game."""
        if self.task is not None:
            shown: dict[str, Any] = _shown(metrics)
            self.progress.update(self.task, completed=iteration, **shown)

    @hookimpl
    def allmodes_run_finished(self, run: Run, outcome: Outcome) -> None:
        """Leave the bar where the run ended."""
        self.progress.stop()


class Beginning:
    """An observer that says where a run lies, and from where it goes on, and nothing else."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """One line."""
        self._say(logs.beginning(run))


class StudyTerminal:
    """A bar over all runs of a study, and one for each that is being trained; lines where nobody watches."""

    def __init__(self, console: Console, say: Callable[[str], None]) -> None:
        self.progress = Progress(
            _column("{task.description}"),
            BarColumn(bar_width=24 if console.width >= WIDE else 8),
            _column("{task.completed:,.0f}/{task.total:,.0f}"),
            TimeRemainingColumn(compact=True),
            _column("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
            refresh_per_second=2,
        )
        self._say = say
        self._bars: dict[str, TaskID] = {}
        self._at: dict[str, int] = {}
        self._number = self._ended = 0

    def begin(self, runs: Sequence[StudyRun], unfinished: Sequence[StudyRun]) -> None:
        """Begin the bar over all."""
        self._number, self._ended = len(runs), len(runs) - len(unfinished)
        self.progress.start()
        total = sum(run.iterations for run in unfinished)
        self.all = self.progress.add_task("all", total=total, note=self._count())
        self._say(f"{self._number} runs, {len(unfinished)} of them to train")

    def progress_of(self, run: StudyRun) -> TaskID:
        """The bar of a run."""
        if run.name not in self._bars:
            total = run.iterations
            self._bars[run.name] = self.progress.add_task(run.name, total=total, note="")
        return self._bars[run.name]

    def advance(self, run: StudyRun, iteration: int) -> None:
        """Move the run's bar and that over all."""
        self.progress.update(self.progress_of(run), completed=iteration)
        self.progress.advance(self.all, iteration - self._at.get(run.name, 0))
        self._at[run.name] = iteration

    def end(self, run: StudyRun, status: str) -> None:
        """Count a run that ended and take its bar away."""
        if status == "finished":
            self._ended += 1
            self.advance(run, run.iterations)
        self.progress.remove_task(self.progress_of(run))
        del self._bars[run.name]
        self.progress.update(self.all, note=self._count())
        self._say(f"{run.name} {status} ({self._count()})")

    def close(self) -> None:
        """Leave the bar as it is."""
        self.progress.stop()

    def _count(self) -> str:
        return f"{self._ended} of {self._number} runs finished"


def _shown(metrics: Mapping[str, float]) -> dict[str, str]:
    shown: dict[str, str] = {}
    if rate := metrics.get("time/iterations_per_second"):
        shown["rate"] = f"{rate:,.0f} it/s"
    first: dict[str, float] = {}
    for name, value in metrics.items():
        kind, _, loss = name.partition("/")
        if kind == "train":
            first.setdefault(loss.partition("/")[0], value)
    if first:
        shown["losses"] = "  ".join(f"{player[0].upper()} {value:.2g}" for player, value in first.items())
    for name, unit in (("eval/modes", "modes"), ("eval/stacked_modes", "modes"), ("eval/classes", "classes")):
        if not math.isnan(metrics.get(name, math.nan)):
            shown["modes"] = f"{metrics[name]:.0f} {unit}"
    return shown
