"""Where the runs of a study are trained: by processes here, with other commands, or by jobs of a cluster.

An executor trains what is not finished, and says how each run ended. The folder is the truth: whatever an executor has
been told, a run has ended when its results say so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from allmodes.experiments import logs
from allmodes.specs.source import SpecError
from allmodes.studies import ray_tasks
from allmodes.studies.following import Follower
from allmodes.studies.joining import Unclaimed
from allmodes.studies.monitor import StudyMonitor
from allmodes.studies.pool import Pool, Task, Tasks, Waiting
from allmodes.studies.ray_tasks import RayOptions
from allmodes.studies.slurm import SlurmArray, SlurmOptions
from allmodes.studies.stacks import Stack, make_stacks
from allmodes.studies.study import Study, StudyRun
from allmodes.system.json_pages import describe_error
from allmodes.system.signals import Stop

Where = Literal["local", "join", "slurm", "ray"]
ENDS = ("done", "died", "busy")
"""Messages after which a run is no longer in training here."""
Options = TypeVar("Options", bound=BaseModel)


@dataclass(frozen=True)
class Work:
    """What an executor is given: a study, its runs that are not finished, and what it reports to."""

    study: Study
    unfinished: Sequence[StudyRun]
    make_task: Callable[[Stack], Task]
    monitor: StudyMonitor
    stop: Stop
    environment: Mapping[str, str]
    track: bool


class Executor(Protocol):
    """Trains the runs of a study."""

    @property
    def shares(self) -> bool:
        """Whether others may train in the study's folder at the same time."""

    def train(self, work: Work) -> None:
        """Train until all runs have ended, or `work.stop` is asked for, after which all is saved."""


@dataclass(frozen=True)
class Local:
    """Processes of this command, which train all."""

    jobs: int
    shares: bool = False

    def train(self, work: Work) -> None:
        """Train all runs, in stacks of which each process gets its share."""
        stacks = make_stacks(work.unfinished, self.jobs)
        _train_by_pool(self.jobs, Waiting(map(work.make_task, stacks)), work)


@dataclass(frozen=True)
class Joined:
    """Processes of this command, which take runs, at most `pack` together, that no other command has claimed.

    Where it `waits`, it stays while others train, to take over from those that die.
    """

    jobs: int
    pack: int = 1
    waits: bool = True
    shares: bool = True

    def train(self, work: Work) -> None:
        """Train what is free until the study has ended."""
        free = Unclaimed(work.study, self.pack, work.make_task, work.monitor.end_elsewhere, self.waits)
        _train_by_pool(self.jobs, free, work)


@dataclass(frozen=True)
class Slurm:
    """Jobs of Slurm, each of which joins with so many processes."""

    options: SlurmOptions
    jobs: int
    pack: int = 1
    shares: bool = True

    def train(self, work: Work) -> None:
        """Submit an array, or follow the one that is there."""
        if not work.unfinished:
            return
        words = [f"--jobs={self.jobs}", f"--pack={self.pack}", *([] if work.track else ["--no-tracking"])]
        array = SlurmArray(work.study, self.options, words)
        logs.LOGGER.info(f"{'submitted' if array.submit() else 'follows'} the jobs {array.number} of Slurm")
        Follower(array, work.monitor.end_elsewhere).follow(work.stop)


@dataclass(frozen=True)
class Ray:
    """Tasks of Ray, each of which joins with so many processes."""

    options: RayOptions
    jobs: int
    pack: int = 1
    shares: bool = True

    def train(self, work: Work) -> None:
        """Start the tasks, and wait for them."""
        if work.unfinished:
            settings = {"jobs": self.jobs, "pack": self.pack, "track": work.track}
            ray_tasks.follow(work.study, self.options, settings, work.stop, work.monitor.end_elsewhere)


def make_executor(on: Where, jobs: int | None, pack: int, ask: Mapping[str, Any], waits: bool = True) -> Executor:
    """Make an executor; `ask` is what is asked of Slurm or Ray, such as `{"workers": 8}`. Raises SpecError."""
    if ask and on in ("local", "join"):
        raise SpecError(f"--ask is for --on slurm and --on ray, not for {on}")
    _check(jobs, pack, most=None if on in ("slurm", "ray") else 8 * cores())
    match on:
        case "local":
            return Local(jobs or cores())
        case "join":
            return Joined(jobs or cores(), pack, waits)
        case "slurm":
            options = _parse(SlurmOptions, ask)
            return Slurm(options, jobs or options.cpus or 1, pack)
        case "ray":
            return Ray(_parse(RayOptions, ask), jobs or 1, pack)
    raise SpecError(f"--on {on}: there are local, join, slurm and ray")


def parse_ask(texts: Sequence[str]) -> dict[str, str]:
    """Parse texts such as `partition=gpu`. Raises SpecError."""
    pairs = [text.partition("=") for text in texts]
    for text, (_, sign, _) in zip(texts, pairs, strict=True):
        if not sign:
            raise SpecError(f"--ask {text}: give a name and a value, such as workers=8")
    return {name.strip(): value.strip() for name, _, value in pairs}


def cores() -> int:
    """Count the cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _check(jobs: int | None, pack: int, most: int | None) -> None:
    if jobs is not None and jobs < 1:
        raise SpecError(f"--jobs {jobs}: at least one run is trained at a time")
    if jobs is not None and most is not None and jobs > most:
        raise SpecError(f"--jobs {jobs}: there are {cores()} cores here: take at most {most}")
    if pack < 1:
        raise SpecError(f"--pack {pack}: at least one run is claimed at a time")


def _parse(form: type[Options], ask: Mapping[str, Any]) -> Options:
    try:
        return form.model_validate(dict(ask))
    except ValidationError as error:
        raise SpecError(f"--ask: {describe_error(error)}; there are {', '.join(form.model_fields)}") from None


def _train_by_pool(jobs: int, tasks: Tasks, work: Work) -> None:
    runs = {run.name: run for run in work.study.runs}
    for message in Pool(jobs, work.stop, work.environment).run(tasks):
        work.monitor.handle(runs[message["run"]], message)
        if message["event"] in ENDS:
            tasks.put_back(message["run"])
