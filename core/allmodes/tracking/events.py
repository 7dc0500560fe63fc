"""The lines of a run's log as typed events, and how a run is described to MLflow.

Blank lines are no events, nor are numbers without a time, which an older version wrote to `tracking.jsonl` as well. A
damaged line is one, since it may have been the description.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Discriminator, Field, PositiveInt, TypeAdapter

from allmodes.runs.journal import LARGEST, MARKS
from allmodes.runs.run import Numbers as Values
from allmodes.system import json_pages
from allmodes.text import redact
from allmodes.tracking import datasets, description
from allmodes.tracking.address import experiment, experiment_id, without_secrets

if TYPE_CHECKING:
    from allmodes.runs.run import Run

_Count: TypeAlias = Annotated[int, Field(ge=0, le=LARGEST)]


class _Event(BaseModel, strict=True):
    """A line of the log at a time in ms; keys that MLflow does not need are ignored."""

    time: _Count


class _Step(_Event):
    """An event at an iteration; what is not `tracked` is never sent."""

    iteration: _Count
    tracked: bool = True


class Start(_Step):
    """The beginning of an attempt, at the iteration from which training goes on."""

    event: Literal["start"]


class GoneBack(_Step):
    """A rewind, to the iteration from which training goes on."""

    event: Literal["rewind"]


class Description(_Event):
    """The store that an attempt is logged to, without secrets, and how MLflow describes the run.

    `seeds` are those of the experiment, or all runs of a study; `repeats` are those of the method in its study.
    `outer` is the id of the user's own run, in which the whole is nested.
    """

    event: Literal["mlflow"] = "mlflow"
    store: str
    mlflow_experiment: str
    name: str
    study: str | None = None
    experiment: str
    seed: int
    seeds: PositiveInt
    about: str
    tags: dict[str, str]
    params: dict[str, str]
    data: dict[str, str]
    held_out: dict[str, str] | None = None
    requirements: list[str]
    labelled: list[str] = []
    repeats: PositiveInt = 1
    outer: str | None = None
    mlflow_experiment_id: str | None = None

    @property
    def method(self) -> str:
        """The name of the method in its study; outside of one, that of the spec."""
        return self.tags.get("allmodes.method", self.name)

    @property
    def run(self) -> str:
        """The name by which a receipt knows the run."""
        return f"{self.experiment}/{self.name}/seed-{self.seed}"


class Numbers(_Step):
    """Numbers by name."""

    values: Values


class Figure(_Step):
    """A picture; its path is relative to the run's folder, or absolute."""

    event: Literal["figure"]
    path: str

    @property
    def key(self) -> str:
        """The name of the series: that of the file, before the iteration."""
        return description.key(re.sub(r"-\d+$", "", Path(self.path).stem))


class End(_Step):
    """How an attempt ended."""

    event: Literal["end"]
    status: Literal["finished", "failed", "killed"]
    results: Values
    floors: Values
    references: dict[str, Values] = {}
    error: str | None
    engine: str = ""
    stopped: str | None = None
    kept: _Count | None = None
    rewinds: list[dict[str, Any]] = []


class Damaged:
    """A line that cannot be read."""


Event: TypeAlias = Start | GoneBack | Description | Numbers | Figure | End | Damaged
_FORM: TypeAdapter[Any] = TypeAdapter(Annotated[Start | GoneBack | Description | Figure | End, Discriminator("event")])


def parse(line: bytes) -> Event | None:
    """The event of a line of the log."""
    if not line.strip():
        return None
    try:
        page = json_pages.decode(line)
        if not isinstance(page, dict):
            return Damaged()
        if "event" in page:
            event: Event = _FORM.validate_python(page)
            return event
        numbers = _numbers({"time": 0, **page})
        return numbers if "time" in page else None
    except ValueError:
        return Damaged()


def _numbers(page: Mapping[str, Any]) -> Numbers:
    marks = {name: page[name] for name in ("iteration", *MARKS) if name in page}
    return Numbers.model_validate({**marks, "values": {name: page[name] for name in page if name not in marks}})


def describe(run: Run, store: str, tags: Mapping[str, str] | None = None, outer: str | None = None) -> dict[str, Any]:
    """The fields of a Description, without secrets, but for the time.

    Args:
        run: The run.
        store: The address of the store that it is logged to.
        tags: Where it happens.
        outer: The id of the user's run that it is nested in.
    """
    fields = {
        "store": without_secrets(store),
        "mlflow_experiment": experiment(),
        "name": run.spec.name,
        "study": run.study,
        "experiment": run.experiment,
        "seed": run.seed,
        "seeds": run.seeds,
        "repeats": run.repeats,
        "outer": outer,
        "mlflow_experiment_id": experiment_id(),
        "about": description.about(run),
        "tags": description.tags(run) | dict(tags or {}),
        "params": description.params(run),
        "data": datasets.trained_on(run),
        "held_out": datasets.held_out(run),
        "requirements": description.requirements(run),
        "labelled": description.labelled(run),
    }
    return {name: _redact(value) for name, value in fields.items()}


def _redact(value: Any) -> Any:
    """The value with secrets removed from texts at any depth."""
    if isinstance(value, Mapping):
        return {name: _redact(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redact(inner) for inner in value]
    return redact.text(value) if isinstance(value, str) else value
