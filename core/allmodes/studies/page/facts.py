"""What a page says of the runs of a comparison: their states, versions, and the warnings in their logs."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from allmodes.experiments.plots import read_log
from allmodes.runs.run_folder import RunFolder
from allmodes.studies.comparison import Comparison
from allmodes.studies.study import StudyRun
from allmodes.text import redact

MAKERS = ("allmodes", "torch", "numpy", "matplotlib")
WARNINGS, LETTERS, LOG = 100, 600, 2**20
"""Warnings that are listed, letters of each, and bytes of a log that are read."""


def describe_state(comparison: Comparison) -> str:
    """Describe a comparison in a line: `finished: 3 methods, 9 of 9 runs finished`."""
    methods, runs = len(comparison.study.entries), comparison.study.runs
    finished = sum(run.state == "finished" for run in runs)
    noun = "method" if methods == 1 else "methods"
    return f"{comparison.status}: {methods} {noun}, {finished} of {len(runs)} runs finished"


def list_runs(comparison: Comparison) -> list[tuple[str, ...]]:
    """A row for each run: its name, state, iterations, engine, device, and seconds of training."""
    return [_row(run) for run in comparison.study.runs]


def list_warnings(comparison: Comparison) -> list[str]:
    """The warnings in the logs of the runs, each once; beyond a hundred they are counted."""
    found = list(dict.fromkeys(line for run in comparison.study.runs for line in _warnings(run)))
    more = [f"and {len(found) - WARNINGS:,} more, in log.txt of the runs"] if len(found) > WARNINGS else []
    return [*found[:WARNINGS], *more]


def list_losses(comparison: Comparison) -> list[str]:
    """The losses that the first run logged, by the names that frames give them."""
    logged = read_log(RunFolder(comparison.study.runs[0].folder))
    return [name for name in logged if name.startswith("train/")]


def trained_with(comparison: Comparison) -> str:
    """The distributions that the runs recorded, with all their versions."""
    versions: dict[str, list[str]] = {}
    for run in comparison.study.runs:
        for name, number in _recorded(run).items():
            versions.setdefault(name, []).append(number)
    return ", ".join(f"{name} {' and '.join(dict.fromkeys(numbers))}" for name, numbers in versions.items())


def made_with() -> str:
    """The versions of what makes the page."""
    found = [f"Python {platform.python_version()}"]
    for name in MAKERS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _row(run: StudyRun) -> tuple[str, ...]:
    outcome, facts = run.outcome, RunFolder(run.folder).facts(lambda text: None)
    device = facts.device if facts else ""
    if outcome is None:
        return run.name, run.describe(), "", "", device, ""
    return run.name, run.describe(), f"{outcome.iteration:,}", outcome.engine, device, f"{outcome.seconds:,.1f}"


def _recorded(run: StudyRun) -> Mapping[str, str]:
    facts = RunFolder(run.folder).facts(lambda text: None)
    return facts.plugins if facts else {}


def _warnings(run: StudyRun) -> Iterator[str]:
    for line in _tail(RunFolder(run.folder).log).splitlines():
        text = line.partition(" WARNING ")[2] or (
            line.removeprefix("warning: ") if line.startswith("warning: ") else ""
        )
        if text:
            yield redact.text(text)[:LETTERS]


def _tail(log: Path) -> str:
    """The end of a log; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LOG))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
