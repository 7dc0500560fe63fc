"""Progress bars: of a run, and of the runs of a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from allmodes.cli.beat import Beat
from allmodes.experiments import logs
from allmodes.experiments.progress import bar_fields
from allmodes.registry.hookspecs import hookimpl
from allmodes.text.numbers import number

if TYPE_CHECKING:
    from allmodes.runs.run import Outcome, Run
    from allmodes.studies.study import StudyRun
    from allmodes_schemas import Key

WIDE = 110
"""Columns of a terminal that has room for a long bar."""


def _column(text: str, style: str = "none") -> TextColumn:
    """Make a column of a bar that interprets no markup."""
    return TextColumn(text, style, markup=False)


class RunProgress:
    """An observer that shows a bar with rate, losses and modes, if the console is a terminal."""

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
        self._numbers: Mapping[str, Key] = {}

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """Print where the run is, and begin its bar."""
        logs.LOGGER.info(logs.describe_start(run))
        self.progress.start()
        total = run.spec.training.iterations
        self._numbers = run.spec.evaluation.numbers()
        self.task = self.progress.add_task(
            f"seed {run.seed}", total=total, completed=run.iteration, rate="", modes="", losses=""
        )

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Move the bar and update its numbers: of each player's losses the first, its game."""
        if self.task is not None:
            fields: dict[str, Any] = bar_fields(metrics, self._numbers)
            self.progress.update(self.task, completed=iteration, **fields)

    @hookimpl
    def allmodes_run_finished(self, run: Run, outcome: Outcome) -> None:
        """Stop the bar where the run ended."""
        self.progress.stop()


class StartNote:
    """An observer that only prints where a run is and from which iteration it goes on."""

    def __init__(self, print_line: Callable[[str], None]) -> None:
        self._print = print_line

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """Print the line."""
        self._print(logs.describe_start(run))


SHOWN = 4
"""Runs in training that a line names."""


class StudyProgress:
    """A bar for all runs of a study and one for each run in training; without a terminal, a line every minute."""

    def __init__(self, console: Console, print_line: Callable[[str], None]) -> None:
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
        self._print = print_line
        self._bars: dict[str, TaskID] = {}
        self._iterations: dict[str, int] = {}
        self._totals: dict[str, int] = {}
        self._notes: dict[str, str] = {}
        self._beat = Beat(lambda: self._print(self.describe()))
        self._number = self._ended = 0

    def begin(self, runs: Sequence[StudyRun], unfinished: Sequence[StudyRun]) -> None:
        """Begin the bar of all runs."""
        self._number, self._ended = len(runs), len(runs) - len(unfinished)
        self.progress.start()
        total = sum(run.iterations for run in unfinished)
        self.all = self.progress.add_task("all", total=total, note=self._count())
        waits = ": waiting for torch and the data" if unfinished else ""
        self._print(f"{self._number} runs, {len(unfinished)} of them to train{waits}")
        if unfinished and not self.progress.console.is_terminal:
            self._beat.start()

    def bar_of(self, run: StudyRun) -> TaskID:
        """Return the bar of a run, which begins when it is first asked for."""
        if run.name not in self._bars:
            total = self._totals[run.name] = run.iterations
            self._bars[run.name] = self.progress.add_task(run.name, total=total, note="")
        return self._bars[run.name]

    def advance(self, run: StudyRun, iteration: int) -> None:
        """Move the bars of the run and of all runs."""
        self.progress.update(self.bar_of(run), completed=iteration)
        self.progress.advance(self.all, iteration - self._iterations.get(run.name, 0))
        self._iterations[run.name] = iteration

    def measure(self, run: StudyRun, iteration: int, numbers: Mapping[str, float]) -> None:
        """Show the first number that an evaluation measured beside the bar of its run."""
        (name, value), *_ = numbers.items()
        self._notes[run.name] = f" ({name} {number(value)})"
        self.progress.update(self.bar_of(run), note=f"{name} {number(value)}")

    def end(self, run: StudyRun, status: str) -> None:
        """Count a run that ended and remove its bar."""
        if status == "finished":
            self._ended += 1
            self.advance(run, run.iterations)
        self.progress.remove_task(self.bar_of(run))
        del self._bars[run.name]
        self.progress.update(self.all, note=self._count())
        self._print(f"{run.name} {status} ({self._count()})")

    def close(self) -> None:
        """Stop the bars where they are."""
        self._beat.close()
        self.progress.stop()

    def describe(self) -> str:
        """How many runs have finished, and how far those in training are."""
        each = [
            f"{name} at {self._iterations.get(name, 0):,} of {self._totals[name]:,}{self._notes.get(name, '')}"
            for name in list(self._bars)
        ]
        more = [f"{len(each) - SHOWN} more"] if len(each) > SHOWN else []
        return f"{self._count()}; {', '.join([*each[:SHOWN], *more]) or 'none in training has logged anything yet'}"

    def _count(self) -> str:
        return f"{self._ended} of {self._number} runs finished"
