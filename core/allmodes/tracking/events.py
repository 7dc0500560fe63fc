"""What a run tells, as plain values: all that the store will need, in this process or a later one."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allmodes.text import redact
from allmodes.tracking import description
from allmodes.tracking.address import experiment, shown

if TYPE_CHECKING:
    from allmodes.runs.run import Outcome, Run


def started(run: Run, store: str) -> dict[str, Any]:
    """The run, described, without what is secret; and the store that it is meant for, likewise."""
    told = {
        **_now("start"),
        "store": shown(store),
        "mlflow_experiment": experiment(),
        "name": run.spec.name,
        "study": run.study,
        "experiment": run.experiment,
        "seed": run.seed,
        "seeds": run.seeds,
        "about": description.about(run),
        "tags": description.tags(run),
        "params": description.params(run),
        "data": description.dataset(run),
        "requirements": description.requirements(run),
    }
    return {name: _scrubbed(value) for name, value in told.items()}


def metrics(iteration: int, values: Mapping[str, float]) -> dict[str, Any]:
    """Numbers at an iteration."""
    return {**_now("metrics"), "step": iteration, "values": {key: float(value) for key, value in values.items()}}


def figure(run: Run, iteration: int, path: Path) -> dict[str, Any]:
    """A picture; the part of its name before the iteration says of what."""
    inside = path.relative_to(run.folder) if path.is_relative_to(run.folder) else path.absolute()
    key = description.key(re.sub(r"-\d+$", "", path.stem))
    return {**_now("figure"), "step": iteration, "key": key, "path": inside.as_posix()}


def ended(run: Run, outcome: Outcome) -> dict[str, Any]:
    """How the run ended."""
    return _now("end") | _ending(outcome, run.seeds, description.requirements(run))


def recalled(outcome: Outcome, start: Mapping[str, Any], time: int) -> dict[str, Any]:
    """How a run ended of which the end was not told, or is damaged: as its results say, at the time of the clock."""
    return {"what": "end", "time": time} | _ending(outcome, start["seeds"], start["requirements"])


def _ending(outcome: Outcome, seeds: int, requirements: list[str]) -> dict[str, Any]:
    return {
        "seeds": seeds,
        "requirements": requirements,
        "step": outcome.iteration,
        "status": outcome.status.upper(),
        "seconds": outcome.seconds,
        "results": {key: float(value) for key, value in outcome.results.items()},
        "floors": {key: float(value) for key, value in outcome.floors.items()},
        "error": _scrubbed(outcome.error),
    }


def died(start: Mapping[str, Any], last: Mapping[str, Any]) -> dict[str, Any]:
    """The end of a run whose process was killed: when it was last heard of."""
    known = {"seeds": start["seeds"], "requirements": start["requirements"]}
    when = {"what": "end", "time": last["time"], "step": last.get("step", 0)}
    return {**when, **known, "status": "KILLED", "results": {}, "floors": {}, "error": "its process was killed"}


def _scrubbed(value: Any) -> Any:
    """The value with texts at any depth without what is secret."""
    if isinstance(value, Mapping):
        return {name: _scrubbed(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_scrubbed(inner) for inner in value]
    return redact.text(value) if isinstance(value, str) else value


def _now(what: str) -> dict[str, Any]:
    return {"what": what, "time": time.time_ns() // 1_000_000}
