"""Reads the events of runs on disk, and finds out which runs are tracked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from allmodes.runs import journal
from allmodes.runs.run_folder import Facts, RunFolder
from allmodes.system import json_pages
from allmodes.tracking import old_spool
from allmodes.tracking.events import Damaged, Description, Event, parse


def read(folder: Path, warn: Callable[[str], None] = lambda _: None) -> Iterator[tuple[Event | None, int]]:
    """All events of a run in order, with the size of their lines; a warning for each file names its damaged lines."""
    files = RunFolder(folder)
    log = files.metrics.open("rb") if files.metrics.is_file() else ()
    for path, form, lines in ((files.tracking, old_spool.parse, old_spool.lines(folder)), (files.metrics, parse, log)):
        damaged = []
        for number, line in enumerate(lines, 1):
            event = form(line)
            damaged += [number] if isinstance(event, Damaged) else []
            yield event, len(line)
        if damaged:
            warn(journal.left_out(path, damaged))


def descriptions(folder: Path) -> Iterator[Description]:
    """The descriptions of a run's tracked attempts, found without parsing the other lines."""
    log = RunFolder(folder).metrics
    found: list[Event | None] = [old_spool.parse(line) for line in old_spool.lines(folder) if b'"start"' in line]
    if log.is_file():
        with log.open("rb") as file:
            found += [parse(line) for line in file if b'"mlflow"' in line]
    return (event for event in found if isinstance(event, Description))


def is_tracked(folder: Path) -> bool:
    """Whether a run may be tracked: `run.json` or the log records it, or `run.json` is damaged."""
    try:
        by_page = json_pages.read(RunFolder(folder).page, Facts).tracked
    except (FileNotFoundError, json_pages.PageError) as error:
        by_page = not isinstance(error, FileNotFoundError)
    return by_page or RunFolder(folder).tracking.exists() or any(descriptions(folder))
