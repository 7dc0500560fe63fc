"""Conflicts between the entries of a study, and between an entry and the runs in its folder."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from reprlib import repr as short

from allmodes.registry.registry import Registry
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading, recorded
from allmodes.specs.changes import changes_between
from allmodes.specs.source import SpecError
from allmodes.studies.study import OWN_FILES, StudyEntry
from allmodes.system.paths import near
from allmodes_schemas import Spec


def conflicts(entries: Sequence[StudyEntry], registry: Registry) -> Iterator[str]:
    """Yield a message for each conflict: of names, and with runs that were trained with other settings."""
    yield from _name_conflicts(entries)
    for entry in entries:
        yield from _conflicts_with_runs(entry, registry)


def _name_conflicts(entries: Sequence[StudyEntry]) -> Iterator[str]:
    first: dict[str, str] = {}
    for entry in entries:
        if entry.name in OWN_FILES:
            yield f"{entry.reference}: name: {entry.name} is a file of the study's own: give the spec another name"
        if (other := first.setdefault(entry.name, entry.reference)) != entry.reference:
            yield f"{other} and {entry.reference} are both named {entry.name}: give each a name of its own"


def _conflicts_with_runs(entry: StudyEntry, registry: Registry) -> Iterator[str]:
    if entry.folder.exists() and not entry.folder.is_dir():
        yield f"{entry.reference}: {near(entry.folder)} is not a folder: move it away"
    elif RunFolder(entry.folder).spec.exists():
        changes = changes_between(_stored_spec(entry, registry), entry.spec)
        yield from (_message(entry, entry.folder, *change) for change in changes)
        edits = [] if changes else list(recorded.find_edits(entry.folder, entry.spec, registry))[:1]
        yield from (_message(entry, run, *change) for run, changed in edits for change in changed)
        yield from _longer_runs(entry)


def _stored_spec(entry: StudyEntry, registry: Registry) -> Spec:
    """Read the spec in an entry's folder; if it is damaged, the pages of the runs are compared with the entry's."""
    try:
        return loading.load_stored(entry.folder, registry)
    except SpecError as error:
        path = RunFolder(entry.folder).spec
        problem = str(error).splitlines()[0] if path.is_file() else f"{path} is not a file"
        warnings.warn(f"{problem}: it is written anew", stacklevel=2)
        return entry.spec


def _message(entry: StudyEntry, where: Path, key: str, before: object, after: object) -> str:
    return (
        f"{entry.reference}: {key} is {short(before)} in {near(where)} and would be {short(after)}: "
        f"compare into another folder, or remove {near(entry.folder)} to run the method anew"
    )


def _longer_runs(entry: StudyEntry) -> Iterator[str]:
    for run in entry.runs:
        if (outcome := run.outcome) is not None and outcome.iteration > run.iterations:
            done = f"{near(run.folder)} is at iteration {outcome.iteration} already"
            yield f"{entry.reference}: {done}: set training.iterations to {outcome.iteration} or more"
