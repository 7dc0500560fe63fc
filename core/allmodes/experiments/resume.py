"""Resuming a run: which folder, with which spec, and whether it is still the same run."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from allmodes.data.base import DataError
from allmodes.models.page import find_damage
from allmodes.registry.registry import Registry
from allmodes.runs.ends import is_complete
from allmodes.runs.run import Outcome, Run
from allmodes.runs.run_folder import Facts, RunFolder
from allmodes.specs import loading, recorded, requirements
from allmodes.specs.changes import changes_between, describe_changes
from allmodes.specs.source import SpecError, override
from allmodes.system.durable import replace_text
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import near
from allmodes.tracking import reading
from allmodes_schemas import Spec


def prepare(path: Path, registry: Registry, overrides: Sequence[str]) -> tuple[Path, Spec]:
    """The experiment's folder and the spec of a run (or of all seeds in it), with overrides.

    Raises:
        SpecError: The folder holds no run, an override would make it another one, or nothing is left to do.
    """
    if not holds(path.exists):
        raise SpecError(no_such_file(near(path)))
    folder = RunFolder(path)
    if not folder.runs:
        raise SpecError(f"{near(path)}: no run to resume there: give the folder that `allmodes run` printed")
    spec = load_changed(path, registry, overrides)
    if folder.is_run:
        _check_unfinished(path, [folder], spec)
        return path.parent, spec
    _check_unfinished(path, [folder.of_seed(seed) for seed in spec.seeds], spec)
    if overrides:
        replace_text(folder.spec, loading.dump(spec))
    return path, spec


def load_changed(path: Path, registry: Registry, overrides: Sequence[str]) -> Spec:
    """The spec of a run or experiment, with overrides that leave it the same run.

    Raises SpecError where an override makes it another run, or where a plugin of the run is not installed.
    """
    requirements.check_installed(path, [run.page for run in RunFolder(path).runs], registry)
    source, before = recorded.read(path, registry)
    recorded.check_unedited(path, before, registry)
    if not overrides:
        return before
    for text in overrides:
        override(source, text)
    after = loading.check(source, registry)
    if changes := changes_between(before, after):
        raise SpecError(describe_changes(changes, near(path)))
    return after


def outcome_if_done(run: Run) -> Outcome | None:
    """The outcome of a run that has nothing left to do; None if it has."""
    folder = RunFolder(run.folder)
    return folder.outcome() if _is_done(folder, run.spec) else None


def was_tracked(path: Path) -> bool:
    """Whether an experiment was logged to MLflow."""
    runs = [(run.facts(), run) for run in RunFolder(path).runs]
    return any(reading.is_tracked(run.path) if facts is None else facts.tracked for facts, run in runs)


def check_same_data(run: Run, began: Facts, warn: Callable[[str], None]) -> None:
    """Check that the data are those that a run began with; warn where plugins' versions or objects of Python are not.

    Raises DataError where the data or labels differ.
    """
    if (then := began.data.fingerprint) != (now := run.data["fingerprint"]):
        raise DataError(f"data: {near(run.folder)} was trained on other data (fingerprint {then}, these have {now})")
    _check_same_labels(run, began.data.labels_fingerprint)
    for distribution, version in began.plugins.items():
        if (have := run.plugins.get(distribution, version)) != version:  # one that it no longer needs is missing
            warn(f"{run.name} began with {distribution} {version} and goes on with {have}")
    for place, then in began.objects.items():
        if (have := run.objects.get(place, then)) != then:
            warn(f"{run.name} began with {place} = {then} and goes on with {have}")


def _check_same_labels(run: Run, began: Mapping[str, str]) -> None:
    """Compare the labels with those of a run, unless it began before labels had fingerprints."""
    labels: Any = run.data.get("labels_fingerprint", {})
    for name, then in began.items():
        if (now := labels.get(name)) != then:
            differ = f"was trained with other labels (fingerprint {then}, these have {now})"
            remedy = "give it those labels again, or begin a new run"
            raise DataError(f"streams.{name}: {near(run.folder)} {differ}: {remedy}")


def _check_unfinished(path: Path, runs: Sequence[RunFolder], spec: Spec) -> None:
    iterations, done = spec.training.iterations, max(_last_saved_iteration(run) for run in runs)
    if done > iterations:
        raise SpecError(f"{near(path)} is at iteration {done} already: set training.iterations to {done} or more")
    if not all(_is_done(run, spec) for run in runs):
        return
    if early := [outcome for run in runs if (outcome := run.outcome()) and outcome.stopped]:
        ends = f"{near(path)} was stopped early at iteration {early[0].iteration} ({early[0].stopped})"
        raise SpecError(f"{ends}: to train on, change that, such as --set training.early_stopping=null")
    more = f"--set training.iterations={2 * iterations}"
    raise SpecError(f"{near(path)} is finished at iteration {iterations}: to train on, set more, such as {more}")


def _last_saved_iteration(run: RunFolder) -> int:
    return int(run.checkpoints[0].name) if run.checkpoints else 0


def _is_done(run: RunFolder, spec: Spec) -> bool:
    """Whether a run was trained to the end and its model is sound, or cannot be made again.

    One that an observer stopped has not come to the end that its spec names, and goes on.
    """
    outcome = run.outcome()
    if outcome is None or outcome.stopped_by == "observer" or not is_complete(run, spec, outcome):
        return False
    if (damage := find_damage(run.model)) and run.checkpoints:
        warnings.warn(f"{damage}: the model is made again from the last checkpoint", stacklevel=3)
        return False
    return True
