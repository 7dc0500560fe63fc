"""What a run's spool has lost, told again from the pages beside it."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allmodes.registry.registry import installed
from allmodes.runs.run import Outcome, Run
from allmodes.runs.run_folder import Facts, RunFolder
from allmodes.specs import loading, recorded
from allmodes.system import json_pages
from allmodes.tracking import events

if TYPE_CHECKING:
    from allmodes.registry.registry import Registry
    from allmodes_schemas import Spec


def start(folder: Path, store: str) -> dict[str, Any] | None:
    """The start of a run, as its spec and its facts tell it; nothing where they do not."""
    registry, page = installed(), RunFolder(folder).page
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            facts, spec = json_pages.read(page, Facts), recorded.spec(folder, registry)
        began = {"time": _milliseconds(page)}
    except (OSError, json_pages.PageError, loading.SpecError):
        return None
    return {**events.started(_run(folder, facts, spec, registry), store), **began}


def end(folder: Path, began: Mapping[str, Any], last: Mapping[str, Any]) -> dict[str, Any]:
    """The end of a run that told none: what its results say, or, where they are of before, that it was killed."""
    outcome = _outcome(folder, began["time"], last.get("step", 0))
    if outcome is None:
        return events.died(began, last or began)
    return events.recalled(outcome, began, _milliseconds(RunFolder(folder).results))


def _outcome(folder: Path, began: int, step: int) -> Outcome | None:
    files = RunFolder(folder)
    outcome = files.outcome()
    if outcome is None or outcome.iteration < step or _milliseconds(files.results) < began:
        return None
    return outcome


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
    """When a page was written, in ms; now, where it is not there."""
    return int(1000 * (path.stat().st_mtime if path.exists() else time.time()))
