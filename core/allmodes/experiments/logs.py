"""What a run says where nobody watches a bar: a log line for each event, as text or as JSON."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from allmodes.registry.hookspecs import hookimpl
from allmodes.system.durable import plain
from allmodes.system.paths import near
from allmodes.text.numbers import number
from allmodes.text.printable import printable

if TYPE_CHECKING:
    from allmodes.runs.run import Outcome, Run

LOGGER = logging.getLogger("allmodes")


def begin(as_json: bool, stream: TextIO | None = None) -> Log:
    """Send log lines to a stream and return the observer that writes them.

    As text they go to standard error; as JSON, one object a line, to standard output.
    """
    handler = logging.StreamHandler(stream or (sys.stdout if as_json else sys.stderr))
    handler.setFormatter(JsonLines() if as_json else Lines("%(asctime)s %(levelname)s %(message)s"))
    send_to(handler, logging.DEBUG if as_json else logging.INFO)
    logging.raiseExceptions = False  # whoever read the lines may have gone (`| head`); the run goes on
    return Log()


def send_to(handler: logging.Handler, level: int) -> None:
    """Send log lines of a level and above to one handler alone."""
    LOGGER.handlers = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False


def speaks() -> bool:
    """Whether log lines stand in the place of what a terminal would show."""
    return any(isinstance(handler, logging.StreamHandler) for handler in LOGGER.handlers)


def end() -> None:
    """Say nothing any more: the logger is as it was before anybody listened."""
    LOGGER.handlers = []
    LOGGER.setLevel(logging.NOTSET)
    LOGGER.propagate = True


def learned(line: str, partly: bool, warn: Callable[[str], None]) -> None:
    """Say what a run learns from; where nobody reads the log, warn if that is a part only of what there is."""
    if LOGGER.isEnabledFor(logging.INFO):
        LOGGER.info(line, extra={"fields": {"event": "data"}})
    elif partly:
        warn(line)


def beginning(run: Run) -> str:
    """What a run says of itself when it begins or goes on: how far it goes, on which device, and where it lies."""
    folder, until = near(run.folder), run.spec.training.iterations
    if run.iteration:
        return f"{run.name} goes on from iteration {run.iteration:,} to {until:,} on {run.device}, in {folder}"
    return f"{run.name} begins: {until:,} iterations on {run.device}, in {folder}"


class Lines(logging.Formatter):
    """A record as one line of text, whatever its message holds."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return printable(super().format(record))


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, message, and the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = {"time": round(record.created, 3), "level": record.levelname.lower(), "message": record.getMessage()}
        return json.dumps(plain(fields | getattr(record, "fields", {})), default=str)


class Log:
    """An observer that writes log lines: as text the evaluations, as JSON every number."""

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """A run begins, or goes on."""
        _say(logging.INFO, beginning(run), "run_started", run, iteration=run.iteration)

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Numbers; as text only what an evaluation gave."""
        measured = {name.removeprefix("eval/"): value for name, value in metrics.items() if name.startswith("eval/")}
        numbers = "  ".join(f"{name} {number(value)}" for name, value in (measured or metrics).items())
        level = logging.INFO if measured else logging.DEBUG
        line = f"{run.name} {iteration:,}/{run.spec.training.iterations:,}  {numbers}"
        _say(level, line, "metrics", run, iteration=iteration, metrics=dict(metrics))

    @hookimpl
    def allmodes_samples_drawn(self, run: Run, iteration: int, figure: Path, name: str) -> None:
        """A picture was written."""
        _say(logging.DEBUG, f"{run.name} drew {name}", "picture", run, iteration=iteration, file=figure, name=name)

    @hookimpl
    def allmodes_run_finished(self, run: Run, outcome: Outcome) -> None:
        """A run ended."""
        line = f"{run.name} {outcome.status} at iteration {outcome.iteration:,}"
        line += f": {outcome.error}" if outcome.error else ""
        level = logging.INFO if outcome.status == "finished" else logging.WARNING
        _say(level, line, "run_finished", run, **vars(outcome))


def _say(level: int, message: str, event: str, run: Run, **fields: Any) -> None:
    LOGGER.log(level, message, extra={"fields": {"event": event, "run": run.name, "folder": run.folder, **fields}})
