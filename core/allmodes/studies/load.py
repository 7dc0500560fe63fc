"""Loading a study: references and patterns to specs that were checked, each with its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from reprlib import repr as short

from allmodes.registry.given import given_in, show_arguments, with_absent
from allmodes.registry.registry import Registry
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading, recorded
from allmodes.specs.axes import Axes
from allmodes.specs.executor_block import ExecutorBlock, read_executor
from allmodes.specs.member_names import shorten
from allmodes.specs.members import Member, axes_of, is_sweep_file, members
from allmodes.specs.seeds import check_seeds
from allmodes.specs.source import SpecError, SpecSource, override
from allmodes.studies.choices import AS_IS, Shown, settle
from allmodes.studies.conflicts import conflicts
from allmodes.studies.study import PAGE, Study, StudyEntry, read_page
from allmodes.system.paths import at_home, ends_like_a_file, near, place
from allmodes_schemas import check_folder_name

RUNS = Path("runs")
LONGEST = 100
"""Letters of the name of a spec."""


def load_study(
    references: Iterable[str],
    registry: Registry,
    folder: Path | None = None,
    name: str | None = None,
    overrides: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
    baseline: str = "",
    shown: Shown = AS_IS,
    vary: Axes = Axes(),  # noqa: B008, a frozen value
) -> Study:
    """Load and check a study; nothing is written. Each reference gives an entry, one that varies one for each member.

    Without a `folder` it lies in `runs/comparison`, or, of one spec that varies, in `runs` under that spec's name.

    Raises SpecError with a line for each problem: invalid specs, two entries of one name, and entries that were run
    in the folder with other settings of training.
    """
    expanded = list(dict.fromkeys(one for reference in references for one in _expand(reference, registry)))
    registry = with_absent(registry, _objects_of(expanded))
    seeds = None if seeds is None else check_seeds(seeds)
    if name is not None:
        _check_name(name)
    methods = [_load_method(reference, registry, overrides, seeds, vary) for reference in expanded]
    found = [one for one in methods if isinstance(one, Method)]
    folder = place(choose_folder(found) if folder is None else folder)
    entries = [entry for method in found for entry in _entries(method, folder, _several_vary(found))]
    problems = [line for one in methods if isinstance(one, list) for line in one]
    problems = problems or [
        *runs_in_the_way(folder),
        *find_untrainable(entries),
        *conflicts(entries, registry),
    ]
    if problems or not entries:
        raise SpecError("\n".join(problems) or "nothing to compare: name specs, recipes or patterns of recipes")
    shown = settle(replace(shown, baseline=baseline or shown.baseline), entries)
    page = read_page(folder)
    blocks = tuple(method.block for method in found if method.block is not None)
    named = name or page.name or name_of(folder)
    return Study(named, folder, tuple(entries), page.id, shown.over(page.shown), blocks=blocks, said=shown)


@dataclass(frozen=True)
class Method:
    """What a reference stands for: a spec, or the members of one that varies, which is called `name`.

    `block` is what its file says of where it is trained.
    """

    reference: str
    name: str
    members: Sequence[Member]
    is_sweep: bool
    block: ExecutorBlock | None = None


def choose_folder(methods: Sequence[Method]) -> Path:
    """The folder of a study that is given none: that of a sweep has its name."""
    is_one = len(methods) == 1 and methods[0].is_sweep
    return RUNS / methods[0].name if is_one else RUNS / "comparison"


def _several_vary(methods: Sequence[Method]) -> bool:
    return sum(method.is_sweep for method in methods) > 1


def runs_in_the_way(folder: Path) -> Iterator[str]:
    """Refuse the folder of an experiment, whose files are not those of a study."""
    if RunFolder(folder).spec.exists() and not (folder / PAGE).exists():
        yield f"{near(folder)} holds the runs of one spec: give the comparison a folder of its own with --folder"


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


def _load_method(
    reference: str, registry: Registry, overrides: Sequence[str], seeds: Sequence[int] | None, vary: Axes
) -> Method | list[str]:
    """Load what a reference stands for; where it is invalid, returns a line for each problem."""
    try:
        source = _read_source(reference, registry, overrides)
        if "search" in source.tree:
            raise SpecError(source.message(("search",), "a search is compared with nothing: give `compare` it alone"))
        block, axes = read_executor(source), axes_of(source).with_others(vary)
        is_sweep = bool(axes.axes)
        found = members(source, axes, registry) if is_sweep_file(source) or is_sweep else [_single(source, registry)]
    except SpecError as error:
        lines = str(error).splitlines()
        return [line if line.startswith(reference) else f"{reference}: {line}" for line in lines]
    if seeds is not None:
        found = [replace(one, spec=one.spec.model_copy(update={"seeds": tuple(seeds)})) for one in found]
    return Method(reference, str(source.tree["name"]), found, is_sweep, block)


def _single(source: SpecSource, registry: Registry) -> Member:
    spec = loading.check(source, registry)
    return Member(spec.name, {}, spec)


def _entries(method: Method, folder: Path, is_one_of_several: bool) -> Iterator[StudyEntry]:
    """The entries of a reference; members of one of several sweeps have its name in front of theirs."""
    for member in method.members:
        spec = member.spec
        if method.is_sweep and is_one_of_several:
            spec = spec.model_copy(update={"name": shorten(f"{method.name},{spec.name}", LONGEST)})
        experiment = None if method.is_sweep else _experiment_of(place(method.reference))
        home = experiment or folder / spec.name
        yield StudyEntry(method.reference, spec, home, home.name, member.settings)


def _read_source(reference: str, registry: Registry, overrides: Sequence[str]) -> SpecSource:
    """Read a spec by any reference; that of a run is read even if its `spec.yaml` is damaged."""
    if not RunFolder(Path(reference)).runs:
        return loading.read_source(reference, registry, overrides)
    source, _ = recorded.read(Path(reference), registry)
    for text in overrides:
        override(source, text)
    return source


def _objects_of(references: Iterable[str]) -> list[str]:
    """The kinds that stand for objects of Python in the folders of runs, which may be finished."""
    folders = [experiment for reference in references if (experiment := _experiment_of(place(reference)))]
    return [kind for folder in folders for kind in recorded.objects_named(folder)]


def find_untrainable(entries: Iterable[StudyEntry]) -> list[str]:
    """Why entries cannot be trained here whose objects of Python were not passed."""
    return [_untrainable(entry) for entry in entries if _is_untrainable(entry)]


def _is_untrainable(entry: StudyEntry) -> bool:
    """Whether runs are to be trained for which objects of Python are needed that were not passed."""
    return bool(given_in(entry.spec, absent=True)) and any(run.state != "finished" for run in entry.runs)


def _untrainable(entry: StudyEntry) -> str:
    objects = show_arguments(given_in(entry.spec, absent=True))
    problem = "is not finished, and names objects of Python, which no file holds"
    return f"{entry.reference}: {problem}: pass {objects} to allmodes.compare, which then trains in its own process"


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
