"""Loading a comparison, or a run as one of a single method, from the folder that it was written to."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

from allmodes.registry.given import with_absent
from allmodes.registry.registry import Registry
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import recorded
from allmodes.specs.source import SpecError
from allmodes.studies.load import name_of
from allmodes.studies.study import PAGE, Study, StudyEntry, StudyPage, read_page
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import near, place


def load_written(folder: str | Path, registry: Registry) -> Study:
    """Load the study of a comparison's folder; of a run's or an experiment's, a study of that method alone.

    A method whose spec cannot be read is left out with a warning.

    Raises SpecError where the folder holds none of these, or nothing that can be read.
    """
    path = place(folder)
    if not holds(path.is_dir):
        raise SpecError(no_such_file(near(path)))
    registry = with_absent(registry, _objects_in(path))
    if (path / PAGE).is_file():
        return _load_study(path, registry)
    if RunFolder(path).runs:
        return _load_run(path, registry)
    raise SpecError(
        f"{near(path)} holds neither a comparison ({PAGE}) nor a run: give the folder that `allmodes compare` or "
        "`allmodes run` printed"
    )


def is_comparison(study: Study) -> bool:
    """Whether a study was written by `compare`, and is not a run that is looked at as one."""
    return (study.folder / PAGE).is_file()


def _objects_in(path: Path) -> Iterator[str]:
    """The kinds that stand for objects of Python in a study or run, which its report does without."""
    for folder in (path, *sorted(path.glob("*/"))):
        yield from recorded.objects_named(folder)


def _load_study(path: Path, registry: Registry) -> Study:
    page, problems = read_page(path), list[str]()
    entries = list(_entries(path, page, registry, problems))
    if not entries:
        raise SpecError("\n".join([f"{near(path)}: no method of this comparison can be read", *problems]))
    for problem in problems:
        warnings.warn(f"left out: {problem}", stacklevel=4)
    return Study(page.name or name_of(path), path, tuple(entries), page.id, page.shown, page.command)


def _entries(path: Path, page: StudyPage, registry: Registry, problems: list[str]) -> Iterator[StudyEntry]:
    """Yield the methods of a study's page and, for pages of older versions, those that lie beside it."""
    found = {spec.parent.name: spec.parent.name for spec in sorted(path.glob("*/spec.yaml"))}
    for name, place_of in {**page.entries, **found, **page.entries}.items():
        folder = Path(path, place_of)
        try:
            _, spec = recorded.read(folder, registry)
            yield StudyEntry(name, spec, folder, name, page.varied.get(name, {}))
        except SpecError as error:
            problems.append(str(error).splitlines()[0])


def _load_run(path: Path, registry: Registry) -> Study:
    run = RunFolder(path)
    if run.is_run and path.name != f"seed-{run.seed}":
        raise SpecError(f"{near(path)}: a run's folder is named after its seed: call it seed-0 again")
    _, spec = recorded.read(path, registry)
    spec = spec.model_copy(update={"seeds": tuple(one.seed for one in run.runs)})
    experiment = path.parent if run.is_run else path
    return Study(spec.name, path, (StudyEntry(experiment.name, spec, experiment, experiment.name),))
