"""Going on with a run: which folder, with which spec, and whether it is still the same run."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from allmodes.builtin.config.files import PLACES
from allmodes.data import DataError
from allmodes.models.page import find_damage
from allmodes.registry.registry import Registry
from allmodes.runs.run import Outcome, Run
from allmodes.runs.run_folder import Facts, RunFolder
from allmodes.specs import loading, recorded, requirements
from allmodes.specs.changes import changes_between, describe_changes
from allmodes.specs.source import SpecError, override
from allmodes.system.durable import replace_text
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import at_home, near
from allmodes.tracking import reading
from allmodes_schemas import Config, Spec

Settled = TypeVar("Settled", bound=Config)


def prepare(run: Path, registry: Registry, overrides: Sequence[str]) -> tuple[Path, Spec]:
    """The experiment's folder and the spec of a run (or of all seeds in it) with overrides that leave it the same run.

    Raises:
        SpecError: The folder holds no run, an override would make it another one, or nothing is left to do.
    """
    if not holds(run.exists):
        raise SpecError(no_such_file(near(run)))
    files = RunFolder(run)
    one = files.is_run
    if not files.runs:
        raise SpecError(f"{near(run)}: no run to resume there: give the folder that `allmodes run` printed")
    spec = changed(run, registry, overrides)
    folders = [files] if one else [files.of_seed(seed) for seed in spec.seeds]
    _check_left(run, folders, spec.training.iterations)
    if overrides and not one:
        replace_text(files.spec, loading.dump(spec))
    return run.parent if one else run, spec


def ended(run: Run) -> Outcome | None:
    """The outcome of a run that has nothing left to do."""
    folder = RunFolder(run.folder)
    return folder.outcome() if _is_done(folder, run.spec.training.iterations) else None


def compare(run: Run, began: Facts, warn: Callable[[str], None]) -> None:
    """See that the data are those that a run began with, and say where the plugins' versions are not.

    Raises DataError where the data or labels differ.
    """
    if (then := began.data.fingerprint) != (now := run.data["fingerprint"]):
        raise DataError(f"data: {near(run.folder)} was trained on other data (fingerprint {then}, these have {now})")
    _compare_labels(run, began.data.labels_fingerprint)
    for distribution, version in began.plugins.items():
        if (have := run.plugins.get(distribution)) != version:
            warn(f"{run.name} began with {distribution} {version} and goes on with {have}")


def explained(error: str, spec: Spec, run: Path | None) -> str:
    """What is wrong with data, with relative paths, and where those were looked for if they are not there."""
    here = Path.cwd()
    error = error.replace(f"{here}{os.sep}", "")
    paths = [str(value) for name, value in spec.data if name in PLACES and value is not None]
    if all(at_home(path).is_absolute() or set("*?[") & set(path) or at_home(path).exists() for path in paths):
        return error
    there = _begun_in(run) if run else None
    began = f"; the run was begun in {there}, so go there or give --set data's path anew" if there != str(here) else ""
    return f"{error} (relative paths are looked for in {here}{began if there else ''})"


def settled(config: Settled, here: Path) -> Settled:
    """Data or a stream whose relative paths lie where the experiment was made, if the program is elsewhere now."""
    if here == Path.cwd():
        return config
    paths = {name: str(here / at_home(value)) for name, value in config if _is_place(name, value)}
    return config.model_copy(update=paths)


def _is_place(name: str, value: Any) -> bool:
    """Whether an option is a path; the labels of arrays may also be the name of one of several in a file."""
    labels = name in ("labels", "test_labels") and str(value).lower().endswith(".npy")
    return isinstance(value, str) and (labels or name in PLACES or name == "labels_file")


def _begun_in(run: Path) -> str | None:
    for page in (one.page for one in RunFolder(run).runs):
        with suppress(OSError, ValueError, AttributeError):  # whoever reads the page says what is wrong with it
            if there := json.loads(page.read_text()).get("begun_in"):
                return str(there)
    return None


def _compare_labels(run: Run, began: Mapping[str, str]) -> None:
    """A run that began before labels had fingerprints is not looked at."""
    labels: Any = run.data.get("labels_fingerprint", {})
    for name, then in began.items():
        if (now := labels.get(name)) != then:
            differ = f"was trained with other labels (fingerprint {then}, these have {now})"
            remedy = "give it those labels again, or begin a new run"
            raise DataError(f"streams.{name}: {near(run.folder)} {differ}: {remedy}")


def tracked(folder: Path) -> bool:
    """Whether an experiment was logged to MLflow."""
    found = [(run.facts(), run) for run in RunFolder(folder).runs]
    return any(reading.is_tracked(run.path) if page is None else page.tracked for page, run in found)


def changed(run: Path, registry: Registry, overrides: Sequence[str]) -> Spec:
    """The spec of a run with overrides that leave it the same run.

    Raises SpecError where one would not, or where a plugin of the run is not installed.
    """
    requirements.check_installed(run, [one.page for one in RunFolder(run).runs], registry)
    source = recorded.source(run, registry)
    before = loading.check_again(source, registry)
    recorded.refuse_edited(run, before, registry)
    for text in overrides:
        override(source, text)
    after = loading.check(source, registry)
    if found := changes_between(before, after):
        raise SpecError(describe_changes(found, near(run)))
    return after


def _check_left(run: Path, folders: Sequence[RunFolder], iterations: int) -> None:
    done = max(_iteration(folder) for folder in folders)
    if done > iterations:
        raise SpecError(f"{near(run)} is at iteration {done} already: set training.iterations to {done} or more")
    if all(_is_done(folder, iterations) for folder in folders):
        more = f"--set training.iterations={2 * iterations}"
        raise SpecError(f"{near(run)} is finished at iteration {iterations}: to train on, set more, such as {more}")


def _iteration(folder: RunFolder) -> int:
    have = folder.checkpoints
    return int(have[0].name) if have else 0


def _is_done(folder: RunFolder, iterations: int) -> bool:
    """Whether a run was trained to the end, and nothing of what that gave has to be made again."""
    outcome = folder.outcome()
    if outcome is None or outcome.status != "finished" or outcome.iteration < iterations:
        return False
    if (damage := find_damage(folder.model)) and folder.checkpoints:
        warnings.warn(f"{damage}: the model is made again from the last checkpoint", stacklevel=3)
        return False
    return True
