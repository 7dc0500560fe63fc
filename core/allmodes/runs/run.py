"""What observers know of a run: one seed of an experiment, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator

from allmodes.runs.journal import Journal, numbers
from allmodes_schemas import Spec

Status = Literal["finished", "failed", "killed"]


def _known(page: Any) -> Any:
    return numbers(page) if isinstance(page, Mapping) else page


Numbers: TypeAlias = Annotated[Mapping[str, float], BeforeValidator(_known)]
"""Of a page a number that is null is NaN."""


class RunError(RuntimeError):
    """A run that cannot be begun or resumed as asked; the message says why and what to do."""


@dataclass(frozen=True)
class Run:
    """One seed of an experiment.

    `experiment` identifies this execution of the spec (the same for its seeds); `position` counts its seeds from 0 of
    `seeds`. `plugins` maps the distributions in use to their versions. `data` describes the data set: `kind`,
    `fingerprint`, `items` (None: drawn without end), `shape`, `learned`, all of that in words, `labels_used`, the items
    of each labelled stream, and their `labels_fingerprint`. `study` names the comparison that it is part of: then
    `experiment` is the same for all runs of the study.
    """

    spec: Spec
    seed: int
    folder: Path
    experiment: str
    position: int
    seeds: int
    device: str
    plugins: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, object] = field(default_factory=dict)
    rerunnable: bool = True
    study: str | None = None
    iteration: int = 0
    """Where training begins: that of the checkpoint from which the run goes on."""
    journal: Journal | None = field(default=None, repr=False, compare=False)
    """The log that training writes, for observers that read it."""

    @property
    def name(self) -> str:
        """`<spec name>/seed-<seed>`."""
        return f"{self.spec.name}/seed-{self.seed}"


@dataclass(frozen=True)
class Outcome:
    """How a run ended, its last measurements by metric, and their real-against-real values at the same N.

    A number that was withheld is NaN (and null on disk). `costs` are `items` (real ones that were drawn),
    `updates/<player>` and `parameters/<module>`.
    """

    status: Status
    iteration: int
    seconds: float
    results: Numbers = field(default_factory=dict)
    floors: Numbers = field(default_factory=dict)
    error: str | None = None
    costs: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("results", "floors"):
            object.__setattr__(self, name, numbers(getattr(self, name)))
