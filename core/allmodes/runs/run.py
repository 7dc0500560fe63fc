"""A run, one seed of an experiment, and its outcome, as observers get them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator
from typing_extensions import TypedDict

from allmodes.runs.journal import Journal, numbers
from allmodes.text import redact
from allmodes_schemas import Spec

Status = Literal["finished", "failed", "killed"]
Stopper = Literal["observer", "early_stopping"]
LONGEST = 300
"""Letters of a reason to stop."""


def _parse_numbers(page: Any) -> Any:
    return numbers(page) if isinstance(page, Mapping) else page


Numbers: TypeAlias = Annotated[Mapping[str, float], BeforeValidator(_parse_numbers)]
"""Numbers by name; null on a page is read as NaN."""


class RunError(RuntimeError):
    """A run that cannot be begun or resumed as asked; the message says why and what to do."""


class Rewind(TypedDict):
    """A rewind: found at an iteration by a sign, gone back to another, on with learning rates times a factor."""

    at: int
    to: int
    sign: str
    factor: float


@dataclass(frozen=True)
class Run:
    """One seed of an experiment.

    Attributes:
        spec: The spec, with this seed alone.
        seed: The seed.
        folder: The run's folder.
        experiment: Identifies this execution of the spec: the same for all its seeds, or for all runs of a study.
        position: The seed's number from 0 among the `seeds` of the experiment.
        seeds: How many seeds the experiment has.
        device: Where the run trains.
        plugins: The versions of the distributions in use.
        data: The data set: `kind`, `fingerprint`, `items` (None: drawn without end), `shape`, `classes`, `columns`;
            `source`, its file or folder; `held_out`, how many items are not trained on, and `held_out_from`, where
            these come from; `learned`, a description; `labels_used`, the items of each labelled stream, and their
            `labels_fingerprint`.
        rerunnable: Whether the spec alone is enough to run it again.
        objects: What was passed from Python, such as `networks.mine`, in words, with a digest of its code where that is
            known.
        study: The name of the comparison that it is part of, if any.
        repeats: How many seeds its method has in the comparison.
        processes: How many train it together.
        iteration: Where training begins: 0, or the iteration of the checkpoint from which the run goes on.
        journal: The log that training writes, for observers that read it.
        stops: The reasons for which observers asked it to stop.
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
    objects: Mapping[str, str] = field(default_factory=dict)
    study: str | None = None
    repeats: int = 1
    processes: int = 1
    iteration: int = 0
    journal: Journal | None = field(default=None, repr=False, compare=False)
    stops: list[str] = field(default_factory=list, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name in messages: `<spec name>/seed-<seed>`."""
        return f"{self.spec.name}/seed-{self.seed}"

    def stop(self, reason: str) -> None:
        """Ask that this run, and no other seed, ends after the current iteration.

        It is measured a last time, its model is saved, and it counts as `finished`; `Outcome.stopped` is the reason, at
        most 300 letters of it. Of several reasons the first counts. After the last iteration nothing is left to stop.

        Raises ValueError without a reason.
        """
        text = " ".join(reason.split()) if isinstance(reason, str) else ""
        if not text:
            raise ValueError(f"give the reason as a text, such as run.stop('quality is reached'), not {reason!r}")
        self.stops.append(redact.text(text)[:LONGEST])


@dataclass(frozen=True)
class Outcome:
    """How a run ended, its last measurements by metric, and the scores of real data with as many samples.

    A number that was withheld is NaN (and null on disk). `costs` are `items` (real ones that were drawn),
    `updates/<player>` and `parameters/<module>`. `engine` made the last updates; empty for runs of older versions.
    `seconds` are on the wall, of updates. `cpu_seconds` are of the processor, of building, fits and updates, of which
    `start_cpu_seconds` before the first update; None for runs of older versions. Runs that are updated together have
    equal shares of their updates' time. `references` are the scores of each reference sampler, by its row in tables.
    `stopped` is why a finished run ended before its last iteration, and `stopped_by` who asked: an observer, or
    `training.early_stopping`. `kept` is the iteration of the model that it kept, and of `results`, if not the last.
    `rewinds` are those on the way to the model, by `training.rewind`: `costs` count the updates of this way alone, the
    times those of all. `processes` is how many trained it together; the times are those of the first of them.
    """

    status: Status
    iteration: int
    seconds: float
    results: Numbers = field(default_factory=dict)
    floors: Numbers = field(default_factory=dict)
    error: str | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    engine: str = ""
    cpu_seconds: float | None = None
    start_cpu_seconds: float | None = None
    references: Mapping[str, Numbers] = field(default_factory=dict)
    stopped: str | None = None
    stopped_by: Stopper | None = None
    kept: int | None = None
    rewinds: Sequence[Rewind] = ()
    processes: int = 1

    def __post_init__(self) -> None:
        for name in ("results", "floors"):
            object.__setattr__(self, name, numbers(getattr(self, name)))
        object.__setattr__(self, "references", {row: numbers(values) for row, values in self.references.items()})
