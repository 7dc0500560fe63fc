"""Registering the model of a run under a name in MLflow's registry, each as one version."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.registry.registry import Registry
from allmodes.specs import recorded
from allmodes.system.paths import at_home, near
from allmodes.text.numbers import number
from allmodes.tracking import receipt
from allmodes.tracking.address import without_secrets
from allmodes.tracking.sender import open_store, reason
from allmodes.tracking.server import TrackingError
from allmodes.tracking.sync import meant_store, tracked_runs

if TYPE_CHECKING:
    from allmodes.tracking.store import Store
    from allmodes_schemas import Spec

REFUSED = "/:'\""
"""What MLflow refuses in names of registered models, and quotes, with which none can be searched for."""


@dataclass(frozen=True)
class Candidate:
    """A model of a run in MLflow: where it is, and what was measured of it."""

    model_id: str
    location: str
    run_id: str
    run: str
    iteration: int
    role: str
    measures: Mapping[str, float]


@dataclass(frozen=True)
class Registered:
    """A version of a registered model: which of how many candidates it is, and whether it was registered before."""

    name: str
    version: str
    chosen: Candidate
    candidates: int
    by: Sequence[str]
    is_new: bool

    def __str__(self) -> str:
        """One line: `ring version 2: seed-3 at iteration 4,000, the best of 5 (modes 8, high_quality 0.98)`."""
        one, found = self.chosen, ", ".join(f"{key} {number(self.chosen.measures.get(key))}" for key in self.by)
        best = f", the best of {self.candidates}" if self.candidates > 1 else ""
        measured = f" ({found})" if found else ""
        version = f"{self.name} version {self.version}{'' if self.is_new else ', as before'}"
        return f"{version}: {one.run} at iteration {one.iteration:,}{best}{measured}"


def check_name(name: str) -> None:
    """Check the name of a registered model, before anything is trained. Raises TrackingError."""
    if not name.strip() or any(mark in name for mark in REFUSED) or name in (".", ".."):
        raise TrackingError(f"{name!r} cannot be the name of a registered model: take letters, digits, - and _")


def register(folder: Path, name: str, registry: Registry, checkpoint: str | None = None, by: str = "") -> Registered:
    """Register the model of a run, or the best among the models of several, as a version of a registered model.

    A model that is registered under the name already is not registered again. Without `by`, models are ordered by the
    numbers of the spec that have a label and a better direction, in their order.

    Args:
        folder: A run's folder, or one that holds runs.
        name: Of the registered model, which is made if it is new.
        registry: The installed plugins.
        checkpoint: Of each run, the model at the `end` (None), its `best` checkpoint, or that of an iteration.
        by: The number that decides.

    Raises:
        TrackingError: There is no such model in MLflow, or it cannot be reached.
    """
    check_name(name)
    runs = tracked_runs(at_home(folder))
    address = meant_store(runs[0])
    try:
        store = open_store(address)
        found = [one for run in runs for one in _candidates(store, run, address)]
    except TrackingError:
        raise
    except Exception as error:  # stores fail in many ways
        raise TrackingError(_unreachable(folder, name, address, error)) from None
    chosen = [one for one in found if _is_asked_for(one, checkpoint)]
    if not chosen:
        raise TrackingError(_missing(folder, checkpoint, found))
    order = _order(recorded.load(runs[0], registry), by)
    best = max(chosen, key=lambda one: (*_rank(one, order), one.iteration))
    try:
        version, is_new = store.models.register(name, best.model_id, best.location, best.run_id)
    except Exception as error:
        raise TrackingError(_unreachable(folder, name, address, error)) from None
    return Registered(name, version, best, len(chosen), list(order), is_new)


def _candidates(store: Store, run: Path, address: str) -> list[Candidate]:
    found = receipt.read(run, address, lambda _: None)
    return (
        []
        if found is None
        else [
            Candidate(
                model.model_id,
                model.artifact_location,
                found.run_id,
                run.name,
                int(model.tags["allmodes.iteration"]),
                model.tags["allmodes.role"],
                {metric.key: metric.value for metric in model.metrics or ()},
            )
            for model in store.models.of_run(found)
        ]
    )


def _is_asked_for(one: Candidate, checkpoint: str | None) -> bool:
    if checkpoint and checkpoint.isdecimal():
        return one.iteration == int(checkpoint)
    return (checkpoint or "end") in one.role.split(", ")


def _order(spec: Spec, by: str) -> dict[str, int]:
    """The numbers that models are ordered by, with 1 where more is better and -1 where less is."""
    numbers = spec.evaluation.numbers()
    directions = {key: -1 if one.better == "lower" else 1 for key, one in numbers.items() if one.better}
    if not by:
        return {key: sign for key, sign in directions.items() if numbers[key].label}
    if by not in directions:
        raise TrackingError(
            f"--by {by}: not a number of this spec that is good when high or low: {', '.join(directions)}"
        )
    return {by: directions[by]}


def _rank(one: Candidate, order: Mapping[str, int]) -> list[float]:
    return [sign * one.measures.get(key, -sign * math.inf) for key, sign in order.items()]


def _missing(folder: Path, checkpoint: str | None, found: Sequence[Candidate]) -> str:
    if not found:
        return f"{near(folder)} has no model in MLflow yet: `allmodes sync {near(folder)}` sends it"
    there = ", ".join(f"{one.run} {one.iteration} ({one.role})" for one in found[:10])
    return f"no model of {near(folder)} in MLflow is that of checkpoint {checkpoint or 'end'}: there are {there}"


def _unreachable(folder: Path, name: str, address: str, error: Exception) -> str:
    why = reason(error, address)
    again = f"`allmodes register {near(folder)} {name}` does it later"
    return f"the model is not registered, since {without_secrets(address)} cannot be used ({why}): {again}"
