"""A study: several specs, each with its seeds, in one folder."""

from __future__ import annotations

import json
import os
import re
import secrets
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from allmodes.runs.ends import is_complete
from allmodes.runs.lock import take_turns
from allmodes.runs.run import Outcome
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading
from allmodes.specs.executor_block import ExecutorBlock
from allmodes.studies.choices import AS_IS, Shown
from allmodes.system import json_pages
from allmodes.system.durable import replace_text, write_json
from allmodes_schemas import Spec

PAGE = "study.json"
COMPILED = ".compiled"
"""The folder of a study in which torch keeps what it compiles; it may be removed at any time."""
OWN_FILES = frozenset(
    {PAGE, COMPILED, ".claims", "table.md", "table.tex", "table.csv", "figure.png", "figure.pdf"}
    | {"statistics.md", "statistics.csv", "curves.csv", "curves", "report.html"}
    | {"search.jsonl", "search.md", "best.yaml", "varied.png"}
)
"""Names in the folder of a study, beside which the folders of its entries lie."""

State = Literal["finished", "failed", "killed", "interrupted", "missing"]


@dataclass(frozen=True)
class StudyEntry:
    """A spec of a study, with the reference that it was given by and its folder, which is that of an experiment.

    Its `name` is unique in the study: the spec's, or the folder's if it was run before. `varied` are the values of what
    varies in a sweep, by the settings' paths; empty for an entry that is no member of one.
    """

    reference: str
    spec: Spec
    folder: Path
    name: str
    varied: Mapping[str, Any] = field(default_factory=dict)

    @property
    def runs(self) -> list[StudyRun]:
        """A run for each seed."""
        return [StudyRun(self, seed) for seed in self.spec.seeds]


@dataclass(frozen=True)
class StudyRun:
    """One seed of an entry."""

    entry: StudyEntry
    seed: int

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return RunFolder(self.entry.folder).of_seed(self.seed).path

    @property
    def name(self) -> str:
        """The entry's name and the seed: `plain/seed-0`."""
        return f"{self.entry.name}/seed-{self.seed}"

    @property
    def iterations(self) -> int:
        """Iterations of the whole run."""
        return self.entry.spec.training.iterations

    @property
    def outcome(self) -> Outcome | None:
        """The stored outcome; None before the run has ended."""
        return RunFolder(self.folder).outcome()

    @property
    def state(self) -> State:
        """The run's state; one that finished before the spec was given more iterations counts as interrupted."""
        if (outcome := self.outcome) is None:
            return "interrupted" if RunFolder(self.folder).is_run else "missing"
        complete = is_complete(RunFolder(self.folder), self.entry.spec, outcome)
        return "interrupted" if outcome.status == "finished" and not complete else outcome.status

    def describe(self) -> str:
        """Describe the state, with the last checkpoint if the run is not finished."""
        if (state := self.state) in ("finished", "missing"):
            return {"missing": "not begun"}.get(state, state)
        if not (checkpoints := RunFolder(self.folder).checkpoints):
            return f"{state} before it was saved"
        return f"{state}, saved at iteration {int(checkpoints[0].name):,} of {self.iterations:,}"


@dataclass(frozen=True)
class Study:
    """Entries in a folder; `id` is empty before the folder was written.

    `shown` says how its tables look, of which this command said what is `said`; `command` is the one that trained it,
    if one did; `blocks` are what the files of its specs say of where they are trained.
    """

    name: str
    folder: Path
    entries: tuple[StudyEntry, ...]
    id: str = ""
    shown: Shown = AS_IS
    command: str = ""
    blocks: tuple[ExecutorBlock, ...] = ()
    said: Shown = AS_IS

    @property
    def runs(self) -> list[StudyRun]:
        """All runs, first every entry's first seed, so that an interrupted study has as many seeds of each."""
        longest = max((len(entry.spec.seeds) for entry in self.entries), default=0)
        return [run for i in range(longest) for entry in self.entries for run in entry.runs[i : i + 1]]


def write_study(study: Study) -> Study:
    """Make the folders of a study and its entries; returns the study with its id."""
    study.folder.mkdir(parents=True, exist_ok=True)
    study = replace(study, id=study.id or _new_id(study.name))
    return _write_pages(study)


def join_study(study: Study) -> Study:
    """As `write_study`, where another command may have written the study since it was loaded: what is there stays."""
    page = study.folder / PAGE
    with suppress(FileExistsError), page.open("x", encoding="utf-8") as file:
        json.dump({"name": study.name, "id": _new_id(study.name)}, file)
    return _write_pages(replace(study, id=read_page(study.folder).id))


def _write_pages(study: Study) -> Study:
    write_page(study)
    for entry in study.entries:
        entry.folder.mkdir(exist_ok=True)
        replace_text(RunFolder(entry.folder).spec, loading.dump(entry.spec))
    return study


class StudyPage(BaseModel):
    """The page `study.json`; name and id are empty for a new study, all else is missing on pages of older versions.

    `entries` are the folders of the methods by name, relative to the study's; `varied` their settings that vary.
    """

    name: str
    id: Annotated[str, Field(pattern=r"^[\w.-]*$")]  # it goes into names of files and jobs
    entries: dict[str, str] = {}
    labels: dict[str, str] = {}
    columns: tuple[str, ...] = ()
    baseline: str = ""
    command: str = ""
    varied: dict[str, dict[str, Any]] = {}

    @property
    def shown(self) -> Shown:
        """How the study's tables look."""
        return Shown(self.labels, self.columns, self.baseline)


def write_page(study: Study) -> None:
    """Write a study's page: what other commands wrote on it meanwhile stays, but for what this one says."""
    with take_turns(study.folder, "page"):
        write_json(study.folder / PAGE, _make_page(study).model_dump(mode="json"))


def look_again(study: Study) -> Study:
    """The study with the labels, columns and baseline that its page has by now: other commands may change them."""
    page = _page_before(study.folder)
    return replace(study, shown=page.shown) if page.id else study


def _make_page(study: Study) -> StudyPage:
    before, base = _page_before(study.folder), study.folder.absolute()
    entries = {entry.name: os.path.relpath(entry.folder.absolute(), base) for entry in study.entries}
    shown = study.said.over(before.shown)
    return StudyPage(
        name=study.name,
        id=study.id,
        entries={**before.entries, **entries},
        labels=dict(shown.labels),
        columns=shown.columns,
        baseline=shown.baseline,
        command=study.command or before.command,
        varied=before.varied | {entry.name: dict(entry.varied) for entry in study.entries if entry.varied},
    )


def read_page(folder: Path) -> StudyPage:
    """Read a study's page; of a damaged one, the id is taken from its runs, with a warning."""
    try:
        return json_pages.read(folder / PAGE, StudyPage)
    except FileNotFoundError:
        return StudyPage(name="", id="")
    except json_pages.PageError as error:
        page = StudyPage(name="", id=_id_of_runs(folder))
        found = "its id is taken from its runs" if page.id else "the study gets a new id"
        warnings.warn(f"{error}: {found}, its name from --name or the folder", stacklevel=3)
        return page


def _page_before(folder: Path) -> StudyPage:
    try:
        return json_pages.read(folder / PAGE, StudyPage)
    except (FileNotFoundError, json_pages.PageError):  # of a damaged one, whoever loaded the study was warned
        return StudyPage(name="", id="")


def _id_of_runs(folder: Path) -> str:
    for experiment in sorted(folder.glob("*/")):
        for facts in (run.facts() for run in RunFolder(experiment).runs):
            if facts is not None and facts.experiment != experiment.name:  # outside a study it is the folder's name
                return facts.experiment
    return ""


def _new_id(name: str) -> str:
    """Make an id from the name and a random number, in letters that need no quoting anywhere."""
    plain = re.sub(r"[^\w.-]+", "-", name)[:100]
    return f"{plain}-{secrets.token_hex(4)}"
