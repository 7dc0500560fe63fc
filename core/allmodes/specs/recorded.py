"""What the folders of runs say of themselves; where a page is damaged, what else says it, and what to do."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from reprlib import repr as short
from typing import Any

from allmodes.registry.registry import Registry
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading
from allmodes.specs.changes import Change, changes_between
from allmodes.specs.source import SpecError, SpecSource
from allmodes.system import json_pages
from allmodes_schemas import Spec


def source(folder: Path, registry: Registry) -> SpecSource:
    """The spec of a run, experiment or exported model, as it was stored.

    Where `spec.yaml` is damaged it is what other pages of the runs say, with a warning.

    Raises SpecError where none says it.
    """
    try:
        return _sound(loading.read(*loading.locate(str(folder), registry)), registry)
    except SpecError as error:
        path = RunFolder(folder).spec
        what = str(error).splitlines()[0] if path.is_file() else f"{path} is no file"
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
    here = RunFolder(folder).spec
    for record, changes in edits(folder, now, registry):
        raise SpecError(
            "\n".join(
                f"{path} is {short(before)} in {record}, as the run began, and {short(after)} in {here}: "
                "it decides what is trained: set it back, or start a new run for another value"
                for path, before, after in changes
            )
        )


def edits(folder: Path, now: Spec, registry: Registry) -> Iterator[tuple[Path, Sequence[Change]]]:
    """The pages which say that runs of a folder began with another spec, and what differs."""
    for run in RunFolder(folder).runs:
        record, then = _began(run, folder, now, registry)
        if then is not None and (found := changes_between(then, now)):
            yield record, found


def _began(run: RunFolder, folder: Path, now: Spec, registry: Registry) -> tuple[Path, Spec | None]:
    """The spec that a run began with; of one of an older version, what lies in its folder, if that is not `now`."""
    with suppress(SpecError, FileNotFoundError, json_pages.PageError):
        told = run.read_facts().spec
        if told is not None:
            return run.page, now if told == loading.dump_values(now) else loading.check_again(
                _of_page(run.page, told), registry
            )
        return run.spec, loading.load_stored(run.path, registry) if run.path != folder else None
    return run.path, None


def _others(folder: Path) -> Iterator[SpecSource]:
    """What other pages say of a folder's spec: those of its runs, or of the experiment that it is a run of."""
    runs = RunFolder(folder).runs
    for run in runs:
        with suppress(FileNotFoundError, json_pages.PageError, SpecError):
            if (told := run.read_facts().spec) is not None:
                yield _with_seeds(_of_page(run.page, told), runs)
    whole = RunFolder(folder.absolute().parent)
    places = [whole.spec] if RunFolder(folder).is_run else [run.spec for run in runs]
    for path in places:
        with suppress(OSError, ValueError, SpecError):
            yield _with_seeds(loading.read(loading.read_text(path), str(path)), runs)


def _of_page(page: Path, told: Mapping[str, Any]) -> SpecSource:
    return SpecSource(dict(told), str(page))


def _with_seeds(found: SpecSource, runs: Sequence[RunFolder]) -> SpecSource:
    found.tree["seeds"] = [run.seed for run in runs]
    return found


def _sound(found: SpecSource, registry: Registry) -> SpecSource:
    loading.check_again(found, registry)
    return found
