"""Messages of workers: to the progress view, to warnings and errors, and, when a run has ended, to MLflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from allmodes.experiments import logs
from allmodes.runs.run_folder import RunFolder
from allmodes.studies.pool import Message
from allmodes.studies.study import StudyRun

if TYPE_CHECKING:
    from allmodes.tracking.forwarding import Forwarder

Warn = Callable[[str], None]
LAST_LINES = 5  # of the log of a process that died


class ProgressView(Protocol):
    """A display of a study's progress."""

    def begin(self, runs: Sequence[StudyRun], unfinished: Sequence[StudyRun]) -> None:
        """Show all runs, and those that will be trained."""

    def advance(self, run: StudyRun, iteration: int) -> None:
        """Show a run's iteration."""

    def measure(self, run: StudyRun, iteration: int, numbers: Mapping[str, float]) -> None:
        """Show what an evaluation measured, by metric."""

    def end(self, run: StudyRun, status: str) -> None:
        """Show the status that a run ended with."""

    def close(self) -> None:
        """Leave the display as it is."""


@dataclass
class StudyMonitor:
    """Handles the messages of workers; errors are added to `errors` by the run's name."""

    warn: Warn
    errors: MutableMapping[str, str]
    view: ProgressView | None = None
    forwarder: Forwarder | None = None
    _data_lines: set[str] = field(default_factory=set)

    def handle(self, run: StudyRun, message: Message) -> None:
        """Handle a message about a run."""
        match message["event"]:
            case "progress":
                if self.view:
                    self.view.advance(run, message["iteration"])
                if self.view and (numbers := message.get("measured")):
                    self.view.measure(run, message["iteration"], numbers)
            case "data":
                self._log_data(message["text"], message["partly"])
            case "warning":
                self.warn(f"{run.name}: {message['text'].removeprefix(f'{run.name}: ')}")
            case "done":
                self._end(run, message["status"], message["error"])
            case "died":
                self._end(run, "failed", _death(run, message["code"]))

    def end_elsewhere(self, run: StudyRun, state: str) -> None:
        """Show how a run ended that another command trains."""
        if self.view:
            self.view.end(run, state)

    def _log_data(self, text: str, partly: bool) -> None:
        """Log which data are learned, once for all runs that learn the same."""
        if text not in self._data_lines:
            self._data_lines.add(text)
            logs.log_data(text, partly, self.warn)

    def _end(self, run: StudyRun, status: str, error: str | None) -> None:
        if error:
            self.errors[run.name] = error
        if self.view:
            self.view.end(run, status)
        if self.forwarder:
            self.forwarder.add(run.folder)


def _death(run: StudyRun, code: int) -> str:
    """Describe the death of a process, with the last lines of its log."""
    log = RunFolder(run.folder).log
    lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:] if log.is_file() else []
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    hint = " (out of memory? try fewer --jobs)" if code == -9 else ""
    tail = "".join(f"\n  {line}" for line in lines)
    return f"its process {how}{hint}; the same command goes on from its last checkpoint{tail}"
