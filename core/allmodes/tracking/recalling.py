"""Restoring events that a run's log lacks from the pages beside it."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allmodes.registry.registry import installed
from allmodes.runs.run import Run
from allmodes.runs.run_folder import PAGE, SPEC, Facts, RunFolder
from allmodes.specs import loading, recorded
from allmodes.system import json_pages
from allmodes.tracking import events
from allmodes.tracking.events import Description
from allmodes.tracking.selection import Selection

if TYPE_CHECKING:
    from allmodes.registry.registry import Registry
    from allmodes_schemas import Spec


def description(folder: Path, store: str) -> Description | None:
    """The description of a run from its spec and `run.json`; None where they are damaged."""
    registry, page = installed(), RunFolder(folder).page
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            facts, spec = json_pages.read(page, Facts), recorded.load(folder, registry)
    except (OSError, json_pages.PageError, loading.SpecError):
        return None
    fields = events.describe(_run(folder, facts, spec, registry), store) | {"mlflow_experiment_id": None}
    return Description(time=_milliseconds(page), **fields)


def lost_message(folder: Path) -> str:
    """The message for a run without a description."""
    pages = f"{PAGE} and {SPEC}"
    return f"{RunFolder(folder).metrics} lacks the description of the run, and {pages} cannot be read in its place"


def end(folder: Path, after: Selection) -> dict[str, Any]:
    """The end of a run whose process died: from its results, or, where these are older, that it was killed."""
    page, outcome = RunFolder(folder).results, RunFolder(folder).outcome()
    if outcome and outcome.iteration >= after.iteration and _milliseconds(page) >= after.began:
        return {"time": _milliseconds(page), **vars(outcome)}
    killed = {"status": "killed", "results": {}, "floors": {}, "error": "its process was killed"}
    return {"time": after.last, "iteration": after.iteration, **killed}


def _run(folder: Path, facts: Facts, spec: Spec, registry: Registry) -> Run:
    whole = folder.absolute().parent
    study = facts.experiment if facts.experiment != whole.name else None
    return Run(
        spec=spec,
        seed=facts.seed,
        folder=folder,
        experiment=facts.experiment,
        position=0,
        seeds=_seeds(whole, registry) if study is None else 1,
        repeats=1 if study is None else _seeds(whole, registry),
        device=facts.device,
        plugins=facts.plugins,
        data=facts.data.model_dump(),
        rerunnable=facts.rerunnable,
        study=study and study.rpartition("-")[0],
    )


def _seeds(whole: Path, registry: Registry) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return len(loading.load(str(whole), registry).seeds)
    except loading.SpecError:
        return 1


def _milliseconds(path: Path) -> int:
    """Return the time at which a page was written, in ms; the present if it does not exist."""
    return int(1000 * (path.stat().st_mtime if path.exists() else time.time()))
