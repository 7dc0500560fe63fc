"""What lies in the folder of a run, and reading it with suspicion: others can touch files."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from allmodes.runs.run import Outcome
from allmodes.system import json_pages

T = TypeVar("T")


RUN, SPEC, RESULTS = "run.json", "spec.yaml", "results.json"


class _Data(BaseModel, extra="allow"):
    fingerprint: str
    labels_fingerprint: dict[str, str] = {}


class Facts(BaseModel):
    """What a run began with; `spec` is missing in runs of older versions."""

    seed: int
    experiment: str
    data: _Data
    device: str = "cpu"
    plugins: dict[str, str] = {}
    rerunnable: bool = True
    tracked: bool = True
    resumed: int = 0
    begun_in: str | None = None
    spec: dict[str, Any] | None = None


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run of one seed, whatever has happened to its pages."""
    return (folder / RUN).exists() or any((folder / "checkpoints").glob("[0-9]*"))


def runs_in(folder: Path) -> list[Path]:
    """The folder itself, if it is that of a run, or those of an experiment's runs."""
    if is_run(folder):
        return [folder]
    return sorted((path for path in folder.glob("seed-*") if is_run(path)), key=lambda run: (seed_of(run), run.name))


def seed_of(run: Path) -> int:
    """The seed that a run's folder is named after; 0 for a folder that somebody named otherwise."""
    number = run.absolute().name.removeprefix("seed-")
    return int(number) if number.isascii() and number.isdecimal() else 0


def facts(run: Path, warn: Callable[[str], None] = warnings.warn) -> Facts | None:
    """What a run began with; nothing, with a warning, where its page is damaged."""
    otherwise = "what the run began with cannot be compared; the next resume writes it anew"
    return _unless_damaged(_facts, run, otherwise, warn)


def outcome(run: Path, warn: Callable[[str], None] = warnings.warn) -> Outcome | None:
    """How a run ended, if it did; where its page is damaged, a warning, since resuming it writes the page again."""
    otherwise = "the run counts as interrupted; the next resume writes it anew"
    return _unless_damaged(_outcome, run, otherwise, warn)


def outcomes(folder: Path) -> dict[int, Outcome]:
    """How the runs of an experiment ended, by their seeds."""
    found = {seed_of(run): outcome(run) for run in runs_in(folder)}
    return {seed: one for seed, one in found.items() if one is not None}


def _facts(run: Path) -> Facts:
    found = json_pages.read(run / RUN, Facts)
    if run.absolute().name != f"seed-{found.seed}" and run.absolute().name.startswith("seed-"):
        raise json_pages.PageError(f"{run / RUN} is of another run (of seed {found.seed})")
    return found


def _outcome(run: Path) -> Outcome:
    return json_pages.read(run / RESULTS, Outcome)


def _unless_damaged(page: Callable[[Path], T], run: Path, otherwise: str, warn: Callable[[str], None]) -> T | None:
    try:
        return page(run)
    except FileNotFoundError:
        return None
    except json_pages.PageError as error:
        warn(f"{error}: {otherwise}")
        return None
