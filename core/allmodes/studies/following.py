"""Following the jobs of Slurm that train a study, and submitting them again where none is left but runs are."""

from __future__ import annotations

import time
from collections.abc import Callable

from allmodes.runs.run import RunError
from allmodes.studies.slurm import SlurmArray
from allmodes.studies.study import State, StudyRun
from allmodes.system.log import LOGGER
from allmodes.system.paths import near
from allmodes.system.signals import Stop

POLL = 2.0
"""Seconds between two looks at the folder."""
LOOKS = 5
"""Looks at the folder for each question to Slurm's controller, which serves a whole cluster."""
AGAIN = 2
"""How often an array is submitted again without a run that ended."""


class Follower:
    """Waits for the jobs of an array, which is submitted again, at most twice without a run that ended meanwhile.

    Args:
        array: The array, submitted.
        on_end: Called with each run that has ended and, at the end, with those that have not.
    """

    def __init__(self, array: SlurmArray, on_end: Callable[[StudyRun, State], None]) -> None:
        self.array, self.on_end = array, on_end
        self._open = {run.name: run for run in array.study.runs if run.state != "finished"}
        self._again, self._is_silent = 0, False

    def follow(self, stop: Stop) -> None:
        """Wait until the study has ended or the user stops, which cancels the jobs."""
        looks = 0
        while self._open and not stop.asked:
            time.sleep(POLL)
            looks += 1
            self._look()
            if looks % LOOKS == 0 and self._is_without_jobs() and not self._submit_again():
                break
        if stop.asked:
            LOGGER.info(f"the jobs {self.array.number} of Slurm are cancelled: they save first")
            self.array.cancel()
        for run in self._open.values():
            self.on_end(run, run.state)

    def _look(self) -> None:
        """Pass on which runs have ended."""
        ended = [run for run in self._open.values() if run.state == "finished"]
        self._again = 0 if ended else self._again
        for run in ended:
            self.on_end(self._open.pop(run.name), "finished")

    def _is_without_jobs(self) -> bool:
        """Whether no job is left but runs are, which the last job may have ended just before it did."""
        try:
            left = self.array.left()
        except RunError as error:  # the controller of a cluster is started anew at times
            if not self._is_silent:
                LOGGER.warning(f"{error}: the jobs {self.array.number} may run on: Slurm is asked again")
            self._is_silent = True
            return False
        self._is_silent = False
        if not left:
            self._look()
        return not left and bool(self._open)

    def _submit_again(self) -> bool:
        """Submit the array again, and say so; returns whether it was worth another try."""
        number, logs = self.array.number, near(self.array.folder)
        if self._again == AGAIN:
            LOGGER.warning(
                f"no job of Slurm is left, and {self._describe_open()}: the array was submitted {AGAIN} times again "
                f"without a run that ended. What the jobs said is in {logs}; the same command tries again"
            )
            return False
        self._again += 1
        if self.array.submit():
            LOGGER.warning(
                f"the jobs {number} of Slurm have ended, but {self._describe_open()}: submitted again as "
                f"{self.array.number} ({self._again} of {AGAIN} times without a run that ends; their logs: {logs})"
            )
        return True

    def _describe_open(self) -> str:
        number = len(self._open)
        first = next(iter(self._open))
        return f"{first} is open" if number == 1 else f"{number} runs are open, {first} among them"
