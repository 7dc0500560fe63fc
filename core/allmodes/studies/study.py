"""A study: several specs, each with its seeds, in one folder; what of it has been run, and what has not."""

from __future__ import annotations

import re
import secrets
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from reprlib import repr as short
from typing import Literal

from pydantic import BaseModel

from allmodes.registry.registry import Registry
from allmodes.runs.run import Outcome
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading, recorded
from allmodes.specs.changes import changes_between
from allmodes.specs.seeds import check_seeds
from allmodes.specs.source import SpecError, override
from allmodes.system import json_pages
from allmodes.system.durable import replace_text, write_json
from allmodes.system.paths import at_home, ends_like_a_file, near, place
from allmodes_schemas import Spec, folder_name

PAGE = "study.json"

State = Literal["finished", "failed", "killed", "interrupted", "missing"]


OWN = frozenset({"study.json", "table.md", "table.tex", "table.csv", "figure.png", "figure.pdf"})
"""Files of a study, beside which its methods' folders lie."""


@dataclass(frozen=True)
class Method:
    """A spec of a study, where it came from, and its folder, which is that of an experiment.

    Its `name` tells it from the others: the spec's, or the folder's where it has been run before.
    """

    reference: str
    spec: Spec
    folder: Path
    name: str


@dataclass(frozen=True)
class Unit:
    """One seed of a method: what is trained on its own."""

    method: Method
    seed: int

    @property
    def folder(self) -> Path:
        """Where its run lies."""
        return RunFolder(self.method.folder).of_seed(self.seed).path

    @property
    def name(self) -> str:
        """`<method>/seed-<seed>`."""
        return f"{self.method.name}/seed-{self.seed}"

    @property
    def outcome(self) -> Outcome | None:
        """How its run ended, if it did."""
        return RunFolder(self.folder).outcome()

    @property
    def state(self) -> State:
        """How its run stands; one that finished before the spec was given more iterations is interrupted."""
        if (outcome := self.outcome) is None:
            return "interrupted" if RunFolder(self.folder).is_run else "missing"
        short = outcome.iteration < self.method.spec.training.iterations
        return "interrupted" if outcome.status == "finished" and short else outcome.status

    @property
    def standing(self) -> str:
        """How its run stands, in words: where it was saved, or that it has not begun."""
        if (state := self.state) in ("finished", "missing"):
            return {"missing": "not begun"}.get(state, state)
        saved = [int(path.name) for path in RunFolder(self.folder).checkpoints]
        of = f"of {self.method.spec.training.iterations:,}"
        return f"{state}, saved at iteration {max(saved):,} {of}" if saved else f"{state} before it was saved"


@dataclass(frozen=True)
class Study:
    """Methods with their seeds, in a folder."""

    name: str
    folder: Path
    methods: tuple[Method, ...]
    id: str = field(default="")

    @property
    def units(self) -> list[Unit]:
        """All runs, first every method's first seed: what is interrupted has as many seeds of each."""
        longest = max(len(method.spec.seeds) for method in self.methods)
        rounds = ((method, method.spec.seeds[i : i + 1]) for i in range(longest) for method in self.methods)
        return [Unit(method, seed) for method, seeds in rounds for seed in seeds]

    def units_of(self, method: Method) -> list[Unit]:
        """The runs of a method."""
        return [Unit(method, seed) for seed in method.spec.seeds]


def load_study(
    references: Iterable[str],
    registry: Registry,
    folder: Path,
    name: str | None = None,
    overrides: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
) -> Study:
    """A checked study; nothing is written.

    Raises SpecError with a line for each thing that is wrong with any spec, for two methods of one name, and where a
    method was run in the folder with settings that decide what is trained and that differ now.
    """
    named = list(dict.fromkeys(name for reference in references for name in _named(reference, registry)))
    problems: list[str] = []
    folder, seeds = place(folder), None if seeds is None else check_seeds(seeds)
    given = name if name is None else _checked_name(name)
    methods = [method for one in named for method in _loaded(one, registry, folder, overrides, seeds, problems)]
    problems += [] if problems else [*_twins(methods), *_changed(methods, registry)]
    if problems or not methods:
        raise SpecError("\n".join(problems) or "nothing to compare: name specs, recipes or patterns of recipes")
    known = _known(folder)
    return Study(given or known.get("name") or _name_of(folder), folder, tuple(methods), known.get("id", ""))


def write_study(study: Study) -> Study:
    """Make the folder of a study and of its methods; returns the study with what identifies it."""
    study.folder.mkdir(parents=True, exist_ok=True)
    study = Study(study.name, study.folder, study.methods, study.id or _new_id(study.name))
    write_json(study.folder / PAGE, {"name": study.name, "id": study.id})
    for method in study.methods:
        method.folder.mkdir(exist_ok=True)
        replace_text(RunFolder(method.folder).spec, loading.dump(method.spec))
    return study


def _checked_name(name: str) -> str:
    """A study's name as it was given: MLflow shows it, and whoever copies a command may make a folder of it."""
    letters = "".join("x" if letter in " '\"()[]+,:;&=%!?#@" else letter for letter in name)
    if not name.strip():
        raise SpecError("--name: a study's name is not empty; by default it is the folder's")
    try:
        folder_name(letters)
    except ValueError as error:
        raise SpecError(f"--name {short(name)}: {str(error).partition(', got ')[0]}") from None
    return name


def _name_of(folder: Path) -> str:
    """A study's name where none is given; that of a folder may hold anything."""
    return "".join(letter if letter.isprintable() else "_" for letter in folder.name) or "study"


def _new_id(name: str) -> str:
    """What tells a study from others of its name, in letters that need no quoting anywhere."""
    plain = re.sub(r"[^\w.-]+", "-", name)[:100]
    return f"{plain}-{secrets.token_hex(4)}"


def _named(reference: str, registry: Registry) -> list[str]:
    """What a pattern of recipes stands for."""
    if not set("*?[") & set(reference) or at_home(reference).exists():
        return [reference]
    found = [name for name in registry.recipes if fnmatchcase(name, reference)]
    if not found and ends_like_a_file(reference):
        raise SpecError(f"{reference}: no such file or folder in {Path.cwd()}")
    if not found:
        raise SpecError(f"{reference}: no recipe is called so: `allmodes recipes` lists them")
    return found


def _loaded(
    reference: str,
    registry: Registry,
    folder: Path,
    overrides: Sequence[str],
    seeds: Sequence[int] | None,
    problems: list[str],
) -> Iterator[Method]:
    try:
        spec = _read(reference, registry, overrides)
    except SpecError as error:
        problems += [line if line.startswith(reference) else f"{reference}: {line}" for line in str(error).splitlines()]
        return
    spec = spec if seeds is None else spec.model_copy(update={"seeds": tuple(seeds)})
    ran = _experiment(place(reference))
    yield Method(reference, spec, ran, ran.name) if ran else Method(reference, spec, folder / spec.name, spec.name)


def _read(reference: str, registry: Registry, overrides: Sequence[str]) -> Spec:
    """A spec by any reference; a run's is read as runs are, with what else says it where it is damaged."""
    if not RunFolder(Path(reference)).runs:
        return loading.load(reference, registry, overrides)
    source = recorded.source(Path(reference), registry)
    for text in overrides:
        override(source, text)
    return loading.check(source, registry)


def _experiment(path: Path) -> Path | None:
    """The folder of an experiment that has been run, of which a path is that or one of its runs."""
    if RunFolder(path).is_run:
        return path.parent
    return path if RunFolder(path).runs else None


def _twins(methods: Sequence[Method]) -> Iterator[str]:
    """Methods that would lie in one folder."""
    first: dict[str, str] = {}
    for method in methods:
        if method.name in OWN:
            yield f"{method.reference}: name: {method.name} is a file of the study's own: give the spec another name"
        if (other := first.setdefault(method.name, method.reference)) != method.reference:
            yield f"{other} and {method.reference} are both named {method.name}: give each a name of its own"


def _changed(methods: Sequence[Method], registry: Registry) -> Iterator[str]:
    """What keeps runs that are there from standing for the specs that are asked for."""
    for method in methods:
        if method.folder.exists() and not method.folder.is_dir():
            yield f"{method.reference}: {near(method.folder)} is no folder: move it away"
        elif RunFolder(method.folder).spec.exists():
            changes = changes_between(_stored(method, registry), method.spec)
            yield from (_refusal(method, method.folder, *change) for change in changes)
            for run, other in [] if changes else list(recorded.edits(method.folder, method.spec, registry))[:1]:
                yield from (_refusal(method, run, *change) for change in other)
            yield from _beyond(method)


def _stored(method: Method, registry: Registry) -> Spec:
    """The spec that lies in a method's folder; where it is damaged, its runs say whether the method's is theirs."""
    try:
        return loading.load_stored(method.folder, registry)
    except SpecError as error:
        path = RunFolder(method.folder).spec
        what = str(error).splitlines()[0] if path.is_file() else f"{path} is no file"
        warnings.warn(f"{what}: it is written anew", stacklevel=2)
        return method.spec


def _refusal(method: Method, where: Path, path: str, before: object, after: object) -> str:
    return (
        f"{method.reference}: {path} is {short(before)} in {near(where)} and would be "
        f"{short(after)}: compare into another folder, or remove {near(method.folder)} to run the method anew"
    )


def _beyond(method: Method) -> Iterator[str]:
    wanted = method.spec.training.iterations
    for seed in method.spec.seeds:
        outcome = Unit(method, seed).outcome
        if outcome is not None and outcome.iteration > wanted:
            done = f"{near(Unit(method, seed).folder)} is at iteration {outcome.iteration} already"
            yield f"{method.reference}: {done}: set training.iterations to {outcome.iteration} or more"


class _Page(BaseModel):
    name: str
    id: str


def _known(folder: Path) -> dict[str, str]:
    try:
        return json_pages.read(folder / PAGE, _Page).model_dump()
    except FileNotFoundError:
        return {}
    except json_pages.PageError as error:
        known = _recalled(folder)
        found = "its id is taken from its runs" if known else "the study gets a new id"
        warnings.warn(f"{error}: {found}, its name from --name or the folder", stacklevel=3)
        return known


def _recalled(folder: Path) -> dict[str, str]:
    """What identifies a study, as its runs were told."""
    for method in sorted(folder.glob("*/")):
        for told in (run.facts() for run in RunFolder(method).runs):
            if told is not None and told.experiment != method.name:  # which is what a run of no study is told
                return {"id": told.experiment}
    return {}
