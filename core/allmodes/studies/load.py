"""Loading a study: references and patterns to specs that were checked, each with its folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from reprlib import repr as short

from allmodes.registry.given import given_in, show_arguments, with_absent
from allmodes.registry.registry import Registry
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading, recorded
from allmodes.specs.seeds import check_seeds
from allmodes.specs.source import SpecError, override
from allmodes.studies.choices import AS_IS, Shown
from allmodes.studies.choices import check as check_shown
from allmodes.studies.conflicts import conflicts
from allmodes.studies.study import Study, StudyEntry, read_page
from allmodes.system.paths import at_home, ends_like_a_file, place
from allmodes_schemas import Spec, check_folder_name


def load_study(
    references: Iterable[str],
    registry: Registry,
    folder: Path,
    name: str | None = None,
    overrides: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
    baseline: str = "",
    shown: Shown = AS_IS,
) -> Study:
    """Load and check a study; nothing is written.

    Raises SpecError with a line for each problem: invalid specs, two entries of one name, and entries that were run
    in the folder with other settings of training.
    """
    expanded = list(dict.fromkeys(one for reference in references for one in _expand(reference, registry)))
    registry = with_absent(registry, _objects_of(expanded))
    folder, seeds = place(folder), None if seeds is None else check_seeds(seeds)
    if name is not None:
        _check_name(name)
    loaded = [_load_entry(reference, registry, folder, overrides, seeds) for reference in expanded]
    entries = [one for one in loaded if isinstance(one, StudyEntry)]
    problems = [line for one in loaded if isinstance(one, list) for line in one]
    problems = problems or [*map(_untrainable, filter(_is_untrainable, entries)), *conflicts(entries, registry)]
    if problems or not entries:
        raise SpecError("\n".join(problems) or "nothing to compare: name specs, recipes or patterns of recipes")
    shown = replace(shown, baseline=baseline or shown.baseline)
    check_shown(shown, entries)
    page = read_page(folder)
    return Study(name or page.name or name_of(folder), folder, tuple(entries), page.id, shown.over(page.shown))


def _expand(reference: str, registry: Registry) -> list[str]:
    """Expand a pattern to the recipes that match it."""
    if not set("*?[") & set(reference) or at_home(reference).exists():
        return [reference]
    found = [name for name in registry.recipes if fnmatchcase(name, reference)]
    if not found and ends_like_a_file(reference):
        raise SpecError(f"{reference}: no such file or folder in {Path.cwd()}")
    if not found:
        raise SpecError(f"{reference}: no recipe matches: `allmodes recipes` lists them")
    return found


def _load_entry(
    reference: str, registry: Registry, folder: Path, overrides: Sequence[str], seeds: Sequence[int] | None
) -> StudyEntry | list[str]:
    """Load an entry; of an invalid spec, returns a line for each problem."""
    try:
        spec = _load_spec(reference, registry, overrides)
    except SpecError as error:
        lines = str(error).splitlines()
        return [line if line.startswith(reference) else f"{reference}: {line}" for line in lines]
    spec = spec if seeds is None else spec.model_copy(update={"seeds": tuple(seeds)})
    if experiment := _experiment_of(place(reference)):
        return StudyEntry(reference, spec, experiment, experiment.name)
    return StudyEntry(reference, spec, folder / spec.name, spec.name)


def _load_spec(reference: str, registry: Registry, overrides: Sequence[str]) -> Spec:
    """Load a spec by any reference; that of a run is read even if its `spec.yaml` is damaged."""
    if not RunFolder(Path(reference)).runs:
        return loading.load(reference, registry, overrides)
    source, _ = recorded.read(Path(reference), registry)
    for text in overrides:
        override(source, text)
    return loading.check(source, registry)


def _objects_of(references: Iterable[str]) -> list[str]:
    """The kinds that stand for objects of Python in the folders of runs, which may be finished."""
    folders = [experiment for reference in references if (experiment := _experiment_of(place(reference)))]
    return [kind for folder in folders for kind in recorded.objects_named(folder)]


def _is_untrainable(entry: StudyEntry) -> bool:
    """Whether runs are to be trained for which objects of Python are needed: worker processes have none."""
    return bool(given_in(entry.spec, absent=True)) and any(run.state != "finished" for run in entry.runs)


def _untrainable(entry: StudyEntry) -> str:
    objects = show_arguments(given_in(entry.spec, absent=True))
    problem = "compare trains in processes of its own, which objects of Python do not reach"
    remedy = f"train it with Experiment.from_recipe or Experiment.resume and {objects}, then give its folder"
    return f"{entry.reference}: {problem}: {remedy}"


def _experiment_of(path: Path) -> Path | None:
    """Return the folder of the experiment that a path belongs to, if any."""
    if RunFolder(path).is_run:
        return path.parent
    return path if RunFolder(path).runs else None


def _check_name(name: str) -> None:
    """Check the name of a study, which MLflow shows and scripts may use as the name of a folder."""
    letters = "".join("x" if letter in " '\"()[]+,:;&=%!?#@" else letter for letter in name)
    if not name.strip():
        raise SpecError("--name: a study's name cannot be empty; by default it is the folder's")
    try:
        check_folder_name(letters)
    except ValueError as error:
        raise SpecError(f"--name {short(name)}: {str(error).partition(', got ')[0]}") from None


def name_of(folder: Path) -> str:
    """Name a study after its folder, whose name may hold any character."""
    return "".join(letter if letter.isprintable() else "_" for letter in folder.name) or "study"
