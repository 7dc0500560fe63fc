"""What the folders of runs say of themselves; where a page is damaged, what else says it, and what to do."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from reprlib import repr as short
from typing import Any, TypeVar

from pydantic import BaseModel

from allmodes.registry.registry import Registry
from allmodes.runs.run import Outcome
from allmodes.specs import loading
from allmodes.specs.changes import Change, changes_between
from allmodes.specs.source import Source, SpecError
from allmodes.system import json_pages
from allmodes_schemas import Spec

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


def source(folder: Path, registry: Registry) -> Source:
    """The spec of a run, experiment or exported model, as it was stored.

    Where `spec.yaml` is damaged it is what other pages of the runs say, with a warning.

    Raises SpecError where none says it.
    """
    try:
        return _sound(loading.read(*loading.locate(str(folder), registry)), registry)
    except SpecError as error:
        what = str(error).splitlines()[0] if (folder / SPEC).is_file() else f"{folder / SPEC} is no file"
        for other in _others(folder):
            with suppress(SpecError):
                found = _sound(other, registry)
                warnings.warn(f"{what}: the spec is taken from {other.name}", stacklevel=3)
                return found
        raise


def spec(folder: Path, registry: Registry) -> Spec:
    """The checked spec of a run, experiment or exported model.

    Raises SpecError where it cannot be read, or was edited since a run began with it.
    """
    found = loading.check_again(source(folder, registry), registry)
    refuse_edited(folder, found, registry)
    return found


def refuse_edited(folder: Path, now: Spec, registry: Registry) -> None:
    """See that a spec is the one that the runs of a folder began with, but for what may change.

    Raises SpecError with a line for each setting that is not.
    """
    for record, changes in edits(folder, now, registry):
        raise SpecError(
            "\n".join(
                f"{path} is {short(before)} in {record}, as the run began, and {short(after)} in {folder / SPEC}: "
                "it decides what is trained: set it back, or start a new run for another value"
                for path, before, after in changes
            )
        )


def edits(folder: Path, now: Spec, registry: Registry) -> Iterator[tuple[Path, Sequence[Change]]]:
    """The pages which say that runs of a folder began with another spec, and what differs."""
    for run in runs_in(folder):
        record, then = _began(run, folder, now, registry)
        if then is not None and (found := changes_between(then, now)):
            yield record, found


def _began(run: Path, folder: Path, now: Spec, registry: Registry) -> tuple[Path, Spec | None]:
    """The spec that a run began with; of one of an older version, what lies in its folder, if that is not `now`."""
    with suppress(SpecError, FileNotFoundError, json_pages.PageError):
        told = _facts(run).spec
        if told is not None:
            return run / RUN, now if told == loading.values(now) else loading.check_again(_of_page(run, told), registry)
        return run / SPEC, loading.stored(run, registry) if run != folder else None
    return run, None


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


def _others(folder: Path) -> Iterator[Source]:
    """What other pages say of a folder's spec: those of its runs, or of the experiment that it is a run of."""
    runs = runs_in(folder)
    for run in runs:
        with suppress(FileNotFoundError, json_pages.PageError, SpecError):
            if (told := _facts(run).spec) is not None:
                yield _with_seeds(_of_page(run, told), runs)
    places = [run / SPEC for run in runs] if folder not in runs else [folder.absolute().parent / SPEC]
    for path in places:
        with suppress(OSError, ValueError, SpecError):
            yield _with_seeds(loading.read(loading.text(path), str(path)), runs)


def _of_page(run: Path, told: Mapping[str, Any]) -> Source:
    return Source(dict(told), str(run / RUN))


def _with_seeds(found: Source, runs: Sequence[Path]) -> Source:
    found.tree["seeds"] = [seed_of(run) for run in runs]
    return found


def _sound(found: Source, registry: Registry) -> Source:
    loading.check_again(found, registry)
    return found
