"""The log of a run: a line for each event, as text or as JSON, where no progress bar is shown."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from typing_extensions import override

from allmodes.registry.hookspecs import hookimpl
from allmodes.system.durable import plain
from allmodes.system.log import LOGGER, is_started, log_wait, set_handler, stop
from allmodes.system.paths import near
from allmodes.text.numbers import number
from allmodes.text.printable import printable
from allmodes.tracking.address import sqlite_file, without_secrets

if TYPE_CHECKING:
    from allmodes.engine.choice import Choice
    from allmodes.runs.run import Outcome, Run
    from allmodes_schemas import Spec

STOPPERS = {"observer": "an observer", "early_stopping": "training.early_stopping"}
"""Who asked a run to end before its last iteration."""


def start(as_json: bool, stream: TextIO | None = None) -> LogObserver:
    """Write the log to a stream and return the observer that logs the events of runs.

    By default text goes to standard error, and JSON, one object a line, to standard output.
    """
    handler = logging.StreamHandler(stream or (sys.stdout if as_json else sys.stderr))
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter("%(asctime)s %(levelname)s %(message)s"))
    set_handler(handler, logging.DEBUG if as_json else logging.INFO)
    logging.raiseExceptions = False  # the reader of a pipe may end before the run (`| head`)
    return LogObserver()


def log_data(line: str, partly: bool, warn: Callable[[str], None]) -> None:
    """Log which data are learned; without a log, warn if that is only a part of them."""
    if LOGGER.isEnabledFor(logging.INFO):
        LOGGER.info(line, extra={"fields": {"event": "data"}})
    elif partly:
        warn(line)


def log_taken(run: Run, line: str, is_whole: bool, warn: Callable[[str], None]) -> None:
    """Log which weights a run begins with; without a log, warn where some are not those of the other run."""
    if LOGGER.isEnabledFor(logging.INFO):
        _log(logging.INFO, f"{run.name} {line}", "began_with", run)
    elif not is_whole:
        warn(f"{run.name} {line}")


def log_rewind(run: Run, line: str, fields: Mapping[str, Any], warn: Callable[[str], None]) -> None:
    """Log that a run goes back; without a log, warn of it."""
    if LOGGER.isEnabledFor(logging.INFO):
        _log(logging.WARNING, f"{run.name} {line}", "rewind", run, **fields)
    else:
        warn(f"{run.name} {line}")


def log_engine(runs: Sequence[Run], choice: Choice) -> None:
    """Log which engine trains runs together, and why; not where the spec asks for the eager one."""
    if runs[0].spec.training.engine != "eager":
        names = [run.name for run in runs]
        fields = {"event": "engine", "runs": names, "engine": choice.engine, "why": choice.why}
        LOGGER.info(f"{', '.join(names)}: engine {choice.engine}: {choice.why}", extra={"fields": fields})


def log_start(spec: Spec, seeds: Sequence[int], folder: Path, store: str | None) -> None:
    """Log what will be trained where, before torch is loaded and anything is read.

    Args:
        spec: What is trained.
        seeds: With which seeds.
        folder: The experiment's folder, which is made when the data have been read.
        store: The address of MLflow's store; None without tracking.
    """
    training, of = spec.training, f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
    logged = "not logged to MLflow" if store is None else f"MLflow {near_store(store)}"
    where = f"folder {near(folder)}; device {training.device}; engine {training.engine}; {logged}"
    fields = {"event": "announced", "folder": folder}
    LOGGER.info(f"{spec.name}: {training.iterations:,} iterations of {of}; {where}", extra={"fields": fields})


def near_store(store: str) -> str:
    """The address of a store without secrets; of a SQLite file, its path."""
    file = sqlite_file(store)
    return str(near(file)) if file else without_secrets(store)


def describe_start(run: Run) -> str:
    """Describe a run that begins or goes on: its iterations, device and folder."""
    folder, until = near(run.folder), run.spec.training.iterations
    where = run.device if run.processes == 1 else f"{run.device} by {run.processes} processes"
    if run.iteration:
        return f"{run.name} goes on from iteration {run.iteration:,} to {until:,} on {where}, in {folder}"
    return f"{run.name} begins: {until:,} iterations on {where}, in {folder}"


def describe_end(outcome: Outcome) -> str:
    """Describe how a run ended: where, why before its last iteration, which model it kept, and its error."""
    line = f"{outcome.status} at iteration {outcome.iteration:,}"
    line += f", stopped by {STOPPERS[outcome.stopped_by]}: {outcome.stopped}" if outcome.stopped_by else ""
    times = len(outcome.rewinds)
    line += f", after {times} rewind{'s' if times > 1 else ''}" if times else ""
    line += f"; the model of iteration {outcome.kept:,} is kept" if outcome.kept is not None else ""
    return f"{line}: {outcome.error}" if outcome.error else line


class TextFormatter(logging.Formatter):
    """Formats a record as one printable line."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time, level, message, and the event's own fields."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        fields = {"time": round(record.created, 3), "level": record.levelname.lower(), "message": record.getMessage()}
        return json.dumps(plain(fields | getattr(record, "fields", {})), default=str)


class LogObserver:
    """An observer that logs the events of runs; as text only evaluations, as JSON every number."""

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """Log the start of a run."""
        _log(logging.INFO, describe_start(run), "run_started", run, iteration=run.iteration)

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Log numbers, at a lower level if none is of an evaluation."""
        measured = {name.removeprefix("eval/"): value for name, value in metrics.items() if name.startswith("eval/")}
        numbers = "  ".join(f"{name} {number(value)}" for name, value in (measured or metrics).items())
        level = logging.INFO if measured else logging.DEBUG
        line = f"{run.name} {iteration:,}/{run.spec.training.iterations:,}  {numbers}"
        _log(level, line, "metrics", run, iteration=iteration, metrics=dict(metrics))

    @hookimpl
    def allmodes_samples_drawn(self, run: Run, iteration: int, figure: Path, name: str) -> None:
        """Log the file of a figure."""
        _log(logging.DEBUG, f"{run.name} drew {name}", "picture", run, iteration=iteration, file=figure, name=name)

    @hookimpl
    def allmodes_run_finished(self, run: Run, outcome: Outcome) -> None:
        """Log the outcome of a run."""
        line = f"{run.name} {describe_end(outcome)}"
        level = logging.INFO if outcome.status == "finished" else logging.WARNING
        _log(level, line, "run_finished", run, **vars(outcome))


def _log(level: int, message: str, event: str, run: Run, **fields: Any) -> None:
    LOGGER.log(level, message, extra={"fields": {"event": event, "run": run.name, "folder": run.folder, **fields}})


__all__ = [
    "LOGGER",
    "JsonFormatter",
    "LogObserver",
    "TextFormatter",
    "describe_end",
    "describe_start",
    "is_started",
    "log_data",
    "log_engine",
    "log_rewind",
    "log_start",
    "log_taken",
    "log_wait",
    "near_store",
    "set_handler",
    "start",
    "stop",
]
