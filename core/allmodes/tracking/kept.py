"""The models that a run's folder keeps when the run ends: those of its checkpoints, and the one at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from allmodes.runs import model_page
from allmodes.runs.run_folder import RunFolder
from allmodes.system.json_pages import PageError
from allmodes.tracking import reading
from allmodes.tracking.events import Numbers

EVALUATION = "eval/"


@dataclass(frozen=True)
class Measured:
    """A number, and when it was measured, in ms."""

    value: float
    time: int


@dataclass(frozen=True)
class Kept:
    """A model that is kept.

    Attributes:
        iteration: How far it was trained.
        stored: The folder of its files.
        role: `end`, `best`, both, or `checkpoint`.
        measures: What was measured at its iteration, by the names of the metrics.
    """

    iteration: int
    stored: Path
    role: str
    measures: Mapping[str, Measured] = field(default_factory=dict)


def find(folder: Path, end: int) -> list[Kept]:
    """The kept models of a run that ended at an iteration, oldest first, one for an iteration.

    A checkpoint that cannot be read is none; those beyond the end are of an attempt that was passed over.
    """
    stored = {number: page for number, page in _checkpoints(folder).items() if number <= end}
    best = max((number for number, (_, is_best) in stored.items() if is_best), default=None)
    places = {number: place for number, (place, _) in stored.items()}
    last = _iteration(RunFolder(folder).model, end)
    places |= {} if last is None else {last: RunFolder(folder).model}
    measures = _measures(folder, places)
    return [Kept(one, places[one], _role(one, last, best), measures[one]) for one in sorted(places)]


def _checkpoints(folder: Path) -> dict[int, tuple[Path, bool]]:
    """The folders of checkpoints by iteration, and whether each was the best so far when it was written."""
    found = {}
    for place in RunFolder(folder).checkpoints:
        try:
            found[int(place.name)] = place, bool(model_page.read(place).get("best"))
        except (PageError, FileNotFoundError):
            continue
    return found


def _iteration(model: Path, end: int) -> int | None:
    """How far a model was trained; None where there is none, or its page is damaged."""
    try:
        number = model_page.read(model).get("iteration")
    except (PageError, FileNotFoundError):
        return None
    return end if number is None else int(number)


def _role(iteration: int, last: int | None, best: int | None) -> str:
    reasons = [why for why, number in (("end", last), ("best", best)) if number == iteration]
    return ", ".join(reasons) or "checkpoint"


def _measures(folder: Path, iterations: Mapping[int, Path]) -> dict[int, dict[str, Measured]]:
    """What was measured at iterations, the newest of several measurements."""
    found: dict[int, dict[str, Measured]] = {iteration: {} for iteration in iterations}
    for event, _ in reading.read(folder):
        if isinstance(event, Numbers) and event.iteration in found:
            found[event.iteration] |= {
                name.removeprefix(EVALUATION): Measured(value, event.time)
                for name, value in event.values.items()
                if name.startswith(EVALUATION)
            }
    return found
