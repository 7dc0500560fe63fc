"""What a worker says of the runs of its task: messages to the parent, and lines in each run's own log."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from allmodes.experiments.errors import describe_error, print_traceback
from allmodes.experiments.progress import measured
from allmodes.registry import faults
from allmodes.registry.hookspecs import hookimpl
from allmodes.runs.run import Outcome, Run
from allmodes.runs.run_folder import RunFolder
from allmodes.text import redact

Send = Callable[..., None]


@dataclass(frozen=True)
class Unit:
    """A run of a task: its name and position in the study, the folder of its experiment, and its seed."""

    name: str
    folder: Path
    seed: int
    position: int

    @property
    def path(self) -> Path:
        """The run's folder."""
        return RunFolder(self.folder).of_seed(self.seed).path

    @property
    def log(self) -> Path:
        """The file that holds the run's output, or says where that is."""
        return RunFolder(self.path).log


class Reports:
    """Sends the progress, the warnings and the end of each run of a task. It observes their experiments.

    Attributes:
        left: The runs that have not ended, by their folders.
    """

    def __init__(self, units: Sequence[Unit], send: Send) -> None:
        self._units = {unit.path: unit for unit in units}
        self.left = dict(self._units)
        self._send = send

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Send how far a run has come, and what was measured."""
        numbers = measured(metrics, run.spec.evaluation.numbers())
        self._send(event="progress", run=self._units[run.folder].name, iteration=iteration, measured=numbers)

    @hookimpl
    def allmodes_run_finished(self, run: Run, outcome: Outcome) -> None:
        """Send how a run ended."""
        self.end(self._units[run.folder], outcome.status, outcome.error)

    def end(self, unit: Unit, status: str, error: str | None) -> None:
        """Send how a run ended, once."""
        if self.left.pop(unit.path, None) is not None:
            self._send(event="done", run=unit.name, status=status, error=error)

    @contextmanager
    def ending(self, units: Collection[Unit]) -> Iterator[None]:
        """End with an error of the block those of its runs that are left; their process goes on."""
        try:
            yield
        except Exception as error:
            faults.trace(error)
            print_traceback(error)
            for unit in units:
                self.end(unit, "failed", describe_error(error))

    def make_folders(self) -> list[Unit]:
        """Make the runs' folders; a run whose folder cannot be made ends; returns the others."""
        for unit in list(self.left.values()):
            try:
                unit.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                self.end(unit, "failed", f"{error.filename}: {error.strerror}")
        return list(self.left.values())

    def redirect_output(self) -> list[Unit]:
        """Redirect the process's output to the log of the first run, and note that in those of the others.

        A run whose log cannot be written ends; returns the others.
        """
        first: Unit | None = None
        for unit in list(self.left.values()):
            try:
                unit.path.mkdir(parents=True, exist_ok=True)
                if first is None:
                    _redirect_output(unit.log)
                else:
                    _point(unit, first)
            except OSError as error:  # nothing of such a run can be written
                self.end(unit, "failed", f"{error.filename}: {error.strerror}")
            else:
                first = first or unit
        return list(self.left.values())

    def warn(self, experiment: str, units: Sequence[Unit], text: str) -> None:
        """Send a warning of an experiment, and write it into the log of the run that it names, or else of the first.

        Args:
            experiment: The name of the experiment's spec, with which messages name its runs.
            units: The experiment's runs.
            text: The warning.
        """
        unit = next((unit for unit in units if text.startswith(f"{experiment}/seed-{unit.seed}: ")), units[0])
        self._send(event="warning", run=unit.name, text=text)
        try:
            _write(unit.log, f"warning: {text}")
        except OSError:  # it was sent
            return

    def announce(self, unit: Unit, text: str, partly: bool) -> None:
        """Send which data are learned."""
        self._send(event="data", run=unit.name, text=text, partly=partly)


def _point(unit: Unit, first: Unit) -> None:
    """Note in the log of a run where the output of its process is."""
    _write(unit.log, f"trained with {first.name}: {os.path.relpath(first.log, unit.path)} holds the process's output")


def _redirect_output(log: Path) -> None:
    """Redirect standard output and error, also those of libraries in C, to a file."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)


def _write(log: Path, line: str) -> None:
    """Add a line to a log."""
    with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(redact.text(line) + "\n")
