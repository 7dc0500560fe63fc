"""The folder of an experiment, and the pages of a run that a resume is checked against: its spec and its beginning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from allmodes.experiments.leading import describe_number
from allmodes.experiments.resume import check_same_data
from allmodes.experiments.settings import Warn
from allmodes.registry.registry import Registry
from allmodes.runs.run import Run, RunError
from allmodes.runs.run_folder import RunFolder, new_name
from allmodes.specs import loading, recorded
from allmodes.system import json_pages
from allmodes.system.durable import replace_text, write_json
from allmodes.system.paths import near
from allmodes_schemas import Spec

FACTS = ("seed", "experiment", "device", "plugins", "data", "rerunnable", "objects", "processes")


def make_folder(parent: Path, spec: Spec, seeds: tuple[int, ...], name: str | None = None) -> Path:
    """Make a folder for an experiment, by default named after its spec and the time, with the spec for these seeds."""
    folder = parent / (name or new_name(spec.name))
    folder.mkdir(parents=True)
    replace_text(RunFolder(folder).spec, loading.dump(spec.model_copy(update={"seeds": seeds})))
    return folder


def note(run: Run, warn: Warn, **facts: Any) -> None:
    """Note facts on a run's page; None takes one away. A page that cannot be read or written costs a warning."""
    page = RunFolder(run.folder).page
    try:
        before = json_pages.read(page, dict[str, Any])
        after = {name: fact for name, fact in (before | facts).items() if fact is not None or name not in facts}
        if after != before:
            write_json(page, after)
    except (OSError, json_pages.PageError) as error:
        warn(f"{run.name}: {', '.join(facts)} could not be noted in {page}: {error}")


def write_run_page(run: Run, tracked: bool, here: Path, registry: Registry, warn: Warn) -> None:
    """Write the facts that a run begins with; of a resumed one, check first that they are still the same.

    Raises:
        SpecError: The spec was edited since the run began.
        DataError: The data or labels are not those that the run began with.
        RunError: A folder lies where a page should be, or another number of processes began the run.
    """
    facts: dict[str, Any] = {name: getattr(run, name) for name in FACTS} | {"tracked": tracked, "begun_in": str(here)}
    folder = RunFolder(run.folder)
    if (began := folder.facts(warn)) is not None:
        recorded.check_unedited(run.folder, run.spec, registry)
        check_same_data(run, began, warn)
        if began.processes != run.processes:
            raise RunError(f"{near(run.folder)}: {describe_number(began.processes, run.processes)}")
        facts |= {"resumed": began.resumed + 1, "tracked": tracked or began.tracked}
        facts["begun_in"] = began.begun_in or facts["begun_in"]
        facts |= {name: getattr(began, name) for name in ("began_with", "rewinds") if getattr(began, name)}
    try:
        replace_text(folder.spec, loading.dump(run.spec))
        write_json(folder.page, facts | {"spec": loading.dump_values(run.spec)})
    except IsADirectoryError as error:
        raise RunError(f"{error.filename}: {error.strerror}") from None
