"""Training a study by several commands, on one host or on many: each takes runs that nobody has claimed.

The folder is the truth: a run has ended when its results say so. Whoever waits takes over the runs of those that died.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence

from allmodes.runs.claims import Watch
from allmodes.runs.run_folder import progress_of
from allmodes.studies.claiming import claims_folder
from allmodes.studies.pool import Task
from allmodes.studies.stacks import Stack, make_stacks
from allmodes.studies.study import State, Study, StudyRun

LOOK, SHARE = 1.0, 0.1
"""Seconds between two looks at the folder, at least, and the share of a command's time that goes into them at most."""
TRIES = 3
"""A run that failed or died so often in a row, without a checkpoint further, is given up by this command."""


class Unclaimed:
    """The tasks of a study that are free, until all of its runs have ended or were given up.

    Args:
        study: The study.
        pack: Most runs that a worker trains together.
        make_task: Makes the task of a stack.
        on_end: Called with a run that another command has finished.
        waits: Whether it stays while others train, to take over from those that die.
    """

    def __init__(
        self,
        study: Study,
        pack: int,
        make_task: Callable[[Stack], Task],
        on_end: Callable[[StudyRun, State], None],
        waits: bool = True,
    ) -> None:
        self.pack, self.make_task, self.on_end, self.waits = pack, make_task, on_end, waits
        self.watch = Watch(claims_folder(study))
        self._open = {run.name: run for run in study.runs if run.state != "finished"}
        self._began = {name: self.watch.attempts(name) for name in self._open}
        self._out, self._next_look, self._is_through = set[str](), 0.0, False
        self._has_others = False

    @property
    def are_over(self) -> bool:
        """Whether every run has ended, was given up, or is in training here; or none is free, and nobody waits."""
        return self._is_through or not set(self._open) - self._out

    def take(self) -> Task | None:
        """A task of free runs; None where there is none now, or the last look that found none was just now."""
        if (began := time.monotonic()) < self._next_look:
            return None
        stack = self._choose(list(self._free()))
        if stack is None:
            took = time.monotonic() - began  # seconds, where thousands of runs lie on a slow disk
            self._next_look, self._is_through = began + max(LOOK, took / SHARE), not self.waits
            return None
        self._out |= {run.name for run in stack}
        # A worker that looks for the first time cannot know how long a holder has stood still.
        return {**self.make_task(stack), "after": {run.name: self.watch.attempts(run.name) - 1 for run in stack}}

    def put_back(self, name: str) -> None:
        """Note that a run is no longer in training here."""
        self._out.discard(name)
        self._next_look, self._is_through = 0.0, False

    def _choose(self, free: Sequence[StudyRun]) -> Stack | None:
        """The first runs that can be trained together or, where others train in the study, any.

        Of a thousand commands that take the first, one gets it, and all others have looked for nothing.
        """
        if not free:
            return None
        stacks = make_stacks(free, jobs=1)
        if not self._has_others:
            return stacks[0][: self.pack]
        stack = secrets.choice(stacks)
        begin = secrets.randbelow(max(len(stack) - self.pack, 0) + 1)
        return stack[begin : begin + self.pack]

    def _free(self) -> Iterator[StudyRun]:
        """The runs that are free to be taken; those that are over are open no longer."""
        for name in [name for name in self._open if name not in self._out]:
            run = self._open[name]
            if (state := run.state) == "finished":
                self._end(run, state)
            elif self.watch.holder(name) is not None:
                self._has_others = True
            elif self._is_given_up(run):
                self._end(run, state)
            else:
                yield run

    def _end(self, run: StudyRun, state: State) -> None:
        del self._open[run.name]
        self.on_end(run, state)

    def _is_given_up(self, run: StudyRun) -> bool:
        return self.watch.failures(run.name, progress_of(run.folder), self._began[run.name]) >= TRIES
