"""The runs in a folder, newest first, read from their pages alone; what is damaged is told and shown as such."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from allmodes.runs import averages
from allmodes.runs.claims import CLAIMS, host_of
from allmodes.runs.lock import is_locked
from allmodes.runs.run import Outcome
from allmodes.runs.run_folder import MODEL_PAGE, RunFolder, Warn
from allmodes.system.no_such_file import holds

STUDY = "study.json"
LEVELS = 3
"""Levels of folders that are looked through."""
LATEST = "latest"
"""The word for the newest run or study, where the folder of one is expected."""
Wanted: TypeAlias = Literal["run", "study", "any"]
"""What the folder is to be of."""


@dataclass(frozen=True)
class Listed:
    """A run of one seed, an experiment or a study in its folder.

    Attributes:
        folder: The folder.
        status: `finished`, `failed`, `training`, `training on HOST`, `interrupted` or `not begun`; of several, how many
            there are of each.
        iteration, iterations: How far the run that is furthest behind came, and of how many; None where unknown.
        metric: Name of the main metric, the first of the spec; empty where nothing was measured.
        value: Its mean over seeds.
        seeds: Runs of one seed within.
        changed: When anything was written last, in seconds since 1970.
        is_study: Whether it is a study.
    """

    folder: Path
    status: str
    iteration: int | None
    iterations: int | None
    metric: str
    value: float | None
    seeds: int
    changed: float
    is_study: bool = False


def list_runs(folder: Path, warn: Warn) -> list[Listed]:
    """List what a folder holds, newest first: its experiments and studies, of a study its methods, else its seeds."""
    own = _kind(folder)
    if own == "study":
        found = _methods(folder)
    elif own:
        found = [run.path for run in RunFolder(folder).runs]
    else:
        found = list(_search(folder, LEVELS))
    return sorted((_describe(path, warn) for path in found), key=lambda one: one.changed, reverse=True)


def find_latest(folder: Path, wanted: Wanted = "run") -> Path | None:
    """The experiment or run, the study, or either, in a folder that was written to last; None where there is none.

    The runs of studies count where a run is wanted.
    """
    found = list(_search(folder, LEVELS))
    if wanted == "run":
        found = [path for one in found for path in (_methods(one) if _kind(one) == "study" else [one])]
    kinds = {path: _kind(path) for path in found if _kind(path) == "study" or RunFolder(path).runs}
    return max((path for path, kind in kinds.items() if wanted in (kind, "any")), key=_changed_within, default=None)


def is_study(folder: Path) -> bool:
    """Whether a folder is that of a study."""
    return _kind(folder) == "study"


def _search(folder: Path, levels: int) -> Iterator[Path]:
    """The experiments and studies below a folder, without those within others."""
    for path in _folders(folder):
        if _kind(path):
            yield path
        elif levels > 1:
            yield from _search(path, levels - 1)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir())
    except OSError:
        return []


def _methods(study: Path) -> list[Path]:
    return [path for path in _folders(study) if _kind(path)]


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file()]
    except OSError:
        return []


def _kind(folder: Path) -> str:
    """`study`, `run` (of one seed, or an experiment), or nothing for other folders and exported models."""
    run = RunFolder(folder)
    if holds((folder / STUDY).is_file):
        return "study"
    is_run = holds(lambda: run.spec.is_file() or bool(run.runs)) and not holds((folder / MODEL_PAGE).is_file)
    return "run" if is_run else ""


def _describe(folder: Path, warn: Warn) -> Listed:
    if _kind(folder) == "study":
        runs = [run for path in _folders(folder) if _kind(path) == "run" for run in RunFolder(path).runs]
        return _summarise(folder, runs, warn, is_study=True)
    return _summarise(folder, RunFolder(folder).runs, warn)


def _summarise(folder: Path, runs: Sequence[RunFolder], warn: Warn, is_study: bool = False) -> Listed:
    outcomes = [run.outcome(warn) for run in runs]
    names = averages.metric_names(outcome for outcome in outcomes if outcome is not None)
    metric = "" if is_study or not names else names[0]
    values = [outcome.results[metric] for outcome in outcomes if outcome and metric in outcome.results]
    pairs = list(zip(runs, outcomes, strict=True))
    status, (iteration, iterations) = _status(pairs, is_study), _progress(pairs, warn)
    value = averages.mean(values) if values else None
    return Listed(folder, status, iteration, iterations, metric, value, len(runs), _changed_within(folder), is_study)


def _status(pairs: Sequence[tuple[RunFolder, Outcome | None]], is_study: bool) -> str:
    each = [_status_of(run, outcome) for run, outcome in pairs]
    if not each:
        return "not begun"
    counts = {status: each.count(status) for status in dict.fromkeys(each)}
    alone = len(counts) == 1 and not is_study
    return each[0] if alone else ", ".join(f"{number} {status}" for status, number in counts.items())


def _status_of(run: RunFolder, outcome: Outcome | None) -> str:
    if (locked := is_locked(run.path)) is True:
        return "training"
    if host := _host_of(run):
        return f"training on {host}"
    if outcome is not None:
        return "interrupted" if outcome.status == "killed" else outcome.status
    return "interrupted" if locked is False else "unfinished"


def _host_of(run: RunFolder) -> str:
    """The host of the process that has the claim of a run, in a study that several commands train."""
    path = run.path.absolute()
    return host_of(path.parent.parent / CLAIMS, f"{path.parent.name}/{path.name}")


def _progress(pairs: Sequence[tuple[RunFolder, Outcome | None]], warn: Warn) -> tuple[int | None, int | None]:
    """The iteration of the run that is furthest behind, and how many it is to have."""
    found = [(_iteration(run, outcome), _iterations(run, warn)) for run, outcome in pairs]
    return min(found, key=lambda pair: pair[0], default=(None, None))


def _iteration(run: RunFolder, outcome: Outcome | None) -> int:
    """Iterations that were trained; of a run that has not ended, those that are saved."""
    if outcome is not None:
        return outcome.iteration
    return int(run.checkpoints[0].name) if run.checkpoints else 0


def _iterations(run: RunFolder, warn: Warn) -> int | None:
    """Iterations that the run is to have; None where its page does not say."""
    facts = run.facts(warn)
    training: Any = (facts.spec or {}).get("training") if facts else None
    iterations = training.get("iterations") if isinstance(training, dict) else None
    return iterations if isinstance(iterations, int) else None


def _changed_within(folder: Path) -> float:
    """When anything of a run, an experiment or a study was written last."""
    if _kind(folder) == "study":
        return max((0.0, *map(_time, _files(folder)), *map(_changed_within, _methods(folder))))
    return max((_changed(RunFolder(folder)), *map(_changed, RunFolder(folder).runs)))


def _changed(run: RunFolder) -> float:
    """When a run was written to last."""
    times = [_time(path) for path in (run.spec, run.page, run.results, run.metrics)]
    return max((*times, *(_time(within.metrics) for within in run.runs)))


def _time(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
