"""The specs that the folders of runs record: read, checked once, and compared with what a run began with."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from reprlib import repr as short

from allmodes.registry.given import PREFIX, with_absent
from allmodes.registry.registry import Registry
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading
from allmodes.specs.changes import Change, changes_between
from allmodes.specs.source import SpecError, SpecSource
from allmodes.system import json_pages
from allmodes_schemas import Spec

OBJECT = re.compile(rf"{PREFIX}\w+")


def read(path: Path, registry: Registry) -> tuple[SpecSource, Spec]:
    """Read and check the spec of a run, experiment or exported model.

    Where `spec.yaml` is damaged, it is taken from another page of the runs, with a warning.

    Raises SpecError where no page holds a valid spec.
    """
    file = RunFolder(path).spec
    try:
        return _check(loading.read(*loading.locate(str(path), registry)), registry)
    except SpecError as error:
        problem = str(error).splitlines()[0] if file.is_file() else f"{file} is not a file"
        for other in _other_sources(RunFolder(path)):
            with suppress(SpecError):
                found = _check(other, registry)
                warnings.warn(f"{problem}: the spec is taken from {other.name}", stacklevel=3)
                return found
        raise


def load(path: Path, registry: Registry) -> Spec:
    """Load the spec of a run, experiment or exported model, even if objects of Python that it names were not passed.

    Raises SpecError where it cannot be read, or was edited since a run began with it.
    """
    registry = with_absent(registry, objects_named(path))
    _, spec = read(path, registry)
    check_unedited(path, spec, registry)
    return spec


def objects_named(path: Path) -> Iterator[str]:
    """Every kind that may stand for an object of Python in the pages of a folder."""
    folder = RunFolder(path)
    for file in (folder.spec, folder.page, *(run.page for run in folder.runs)):
        with suppress(SpecError):
            yield from OBJECT.findall(loading.read_text(file))


def check_unedited(path: Path, spec: Spec, registry: Registry) -> None:
    """Check that the runs of a folder began with a spec, but for settings that may change.

    Raises SpecError with a line for each setting that differs.
    """
    file = RunFolder(path).spec
    for record, changes in find_edits(path, spec, registry):
        raise SpecError(
            "\n".join(
                f"{name} is {short(before)} in {record}, as the run began, and {short(after)} in {file}: "
                "it decides what is trained: set it back, or start a new run for another value"
                for name, before, after in changes
            )
        )


def find_edits(path: Path, spec: Spec, registry: Registry) -> Iterator[tuple[Path, Sequence[Change]]]:
    """The pages of a folder's runs that record another spec, with the settings that differ."""
    for run in RunFolder(path).runs:
        record, began = _recorded_spec(run, path, spec, registry)
        if began is not None and (changes := changes_between(began, spec)):
            yield record, changes


def _recorded_spec(run: RunFolder, path: Path, spec: Spec, registry: Registry) -> tuple[Path, Spec | None]:
    """The spec that a run began with and the page that records it.

    Pages of older versions do not record it: then the spec in the run's folder counts, unless it is the given one.
    """
    with suppress(SpecError, FileNotFoundError, json_pages.PageError):
        values = run.read_facts().spec
        if values is None:
            return run.spec, loading.load_stored(run.path, registry) if run.path != path else None
        if values == loading.dump_values(spec):
            return run.page, spec
        return run.page, loading.check_again(SpecSource(dict(values), str(run.page)), registry)
    return run.path, None


def _other_sources(folder: RunFolder) -> Iterator[SpecSource]:
    """Further pages that hold a folder's spec: those of its runs, or of the experiment that it is a run of."""
    runs = folder.runs
    for run in runs:
        with suppress(FileNotFoundError, json_pages.PageError, SpecError):
            if (values := run.read_facts().spec) is not None:
                yield _set_seeds(SpecSource(dict(values), str(run.page)), runs)
    whole = RunFolder(folder.path.absolute().parent)
    for file in [whole.spec] if folder.is_run else [run.spec for run in runs]:
        with suppress(OSError, ValueError, SpecError):
            yield _set_seeds(loading.read(loading.read_text(file), str(file)), runs)


def _set_seeds(source: SpecSource, runs: Sequence[RunFolder]) -> SpecSource:
    source.tree["seeds"] = [run.seed for run in runs]
    return source


def _check(source: SpecSource, registry: Registry) -> tuple[SpecSource, Spec]:
    return source, loading.check_again(source, registry)
