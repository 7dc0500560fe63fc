"""Where the runs of a study are trained: by processes here, with other commands, or by jobs of a cluster.

An executor trains what is not finished, and says how each run ended. The folder is the truth: whatever an executor has
been told, a run has ended when its results say so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from allmodes.experiments import logs
from allmodes.studies import ray_tasks
from allmodes.studies.following import Follower
from allmodes.studies.joining import Unclaimed
from allmodes.studies.monitor import StudyMonitor
from allmodes.studies.pool import Pool, Task, Tasks, Waiting
from allmodes.studies.slurm import SlurmArray
from allmodes.studies.stacks import Stack, make_stacks
from allmodes.studies.study import Study, StudyRun
from allmodes.system.signals import Stop
from allmodes_schemas import ExecutorConfig, JoinConfig, LocalConfig, RayConfig, SlurmConfig

ENDS = ("done", "died", "busy")
"""Messages after which a run is no longer in training here."""


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

    def describe(self) -> str:
        """What trains the runs, in a few words."""

    def train(self, work: Work) -> None:
        """Train until all runs have ended, or `work.stop` is asked for, after which all is saved."""


@dataclass(frozen=True)
class Local:
    """Processes of this command, which train all."""

    jobs: int
    shares: bool = False

    def describe(self) -> str:
        """How many processes there are."""
        return _processes(self.jobs)

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

    def describe(self) -> str:
        """How many processes there are, beside those of others."""
        return f"{_processes(self.jobs)}, beside those of other commands"

    def train(self, work: Work) -> None:
        """Train what is free until the study has ended."""
        free = Unclaimed(work.study, self.pack, work.make_task, work.monitor.end_elsewhere, self.waits)
        _train_by_pool(self.jobs, free, work)


@dataclass(frozen=True)
class Slurm:
    """Jobs of Slurm, each of which joins with so many processes."""

    options: SlurmConfig
    shares: bool = True

    def describe(self) -> str:
        """How many processes each job has."""
        return f"jobs of Slurm, each of {_processes(self.jobs)}"

    @property
    def jobs(self) -> int:
        """Processes of each job."""
        return self.options.jobs or self.options.cpus or 1

    def train(self, work: Work) -> None:
        """Submit an array, or follow the one that is there."""
        if not work.unfinished:
            return
        words = [f"--jobs={self.jobs}", f"--pack={self.options.pack}", *([] if work.track else ["--no-tracking"])]
        array = SlurmArray(work.study, self.options, words)
        logs.LOGGER.info(f"{'submitted' if array.submit() else 'follows'} the jobs {array.number} of Slurm")
        Follower(array, work.monitor.end_elsewhere).follow(work.stop)


@dataclass(frozen=True)
class Ray:
    """Tasks of Ray, each of which joins with so many processes."""

    options: RayConfig
    shares: bool = True

    def describe(self) -> str:
        """How many processes each task has."""
        return f"tasks of Ray, each of {_processes(self.options.jobs or 1)}"

    def train(self, work: Work) -> None:
        """Start the tasks, and wait for them."""
        if work.unfinished:
            settings = {"jobs": self.options.jobs or 1, "pack": self.options.pack, "track": work.track}
            ray_tasks.follow(work.study, self.options, settings, work.stop, work.monitor.end_elsewhere)


def make_executor(config: ExecutorConfig, waits: bool = True) -> Executor:
    """Make an executor of checked settings; `waits` is that of `Joined`."""
    match config:
        case LocalConfig():
            return Local(config.jobs or cores())
        case JoinConfig():
            return Joined(config.jobs or cores(), config.pack, waits)
        case SlurmConfig():
            return Slurm(config)
        case RayConfig():
            return Ray(config)


def _processes(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"


def cores() -> int:
    """Count the cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _train_by_pool(jobs: int, tasks: Tasks, work: Work) -> None:
    runs = {run.name: run for run in work.study.runs}
    for message in Pool(jobs, work.stop, work.environment).run(tasks):
        work.monitor.handle(runs[message["run"]], message)
        if message["event"] in ENDS:
            tasks.put_back(message["run"])
