"""Reporting a run: its log on disk, its last page, and the observers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from allmodes.engine.eager import Losses
from allmodes.experiments.clock import Clock
from allmodes.experiments.logs import log_rewind
from allmodes.experiments.rewinding import describe_rewind
from allmodes.experiments.run_page import note
from allmodes.registry.registry import Registry
from allmodes.runs import claims
from allmodes.runs.journal import Journal
from allmodes.runs.run import Outcome, Rewind, Run
from allmodes.runs.run_folder import RunFolder
from allmodes.system.durable import write_json


@dataclass
class Report:
    """Writes what happens in a run to its log and notifies the observers; MLflow gets it where it is `tracked`."""

    run: Run
    registry: Registry
    warn: Callable[[str], None]
    tracked: bool = True

    def __post_init__(self) -> None:
        self.journal = Journal(RunFolder(self.run.folder).metrics, self.warn)

    def start(self, iteration: int) -> None:
        """Report that training begins, at 0 or at the iteration of a checkpoint."""
        self.run = replace(self.run, iteration=iteration, journal=self.journal)
        self.journal.start(iteration)
        self._notify("run_started")

    def rewind(self, done: Sequence[Rewind]) -> None:
        """Report the last of some rewinds."""
        last, config = done[-1], self.run.spec.training.rewind
        self.journal.rewind(last["to"], at=last["at"], sign=last["sign"], factor=last["factor"])
        line = describe_rewind(last, len(done), config.times if config else len(done))
        log_rewind(self.run, line, {**last}, self.warn)
        note(self.run, self.warn, rewinds=list(done))

    def numbers(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """Report numbers by name."""
        self.journal.write(iteration, numbers, self.tracked)
        self._notify("metrics_logged", iteration=iteration, metrics=numbers)

    def losses(self, iteration: int, losses: Losses, clock: Clock) -> dict[str, float]:
        """Report the losses and the speed of training; returns the losses by name."""
        # One transfer for all terms; asking each for its value would wait for the device once for each.
        # There is none where no term was due.
        values = torch.stack([value.detach() for value in losses.values()]).tolist() if losses else []
        named = {f"train/{player}/{term}": value for (player, term), value in zip(losses, values, strict=True)}
        times = {"time/seconds": clock.seconds, "time/cpu_seconds": clock.cpu_seconds}
        self.numbers(iteration, named | {"time/iterations_per_second": iteration / clock.seconds, **times})
        return named

    def figure(self, iteration: int, path: Path, name: str) -> None:
        """Report that a figure was written."""
        self.journal.figure(iteration, path, self.tracked)
        self._notify("samples_drawn", iteration=iteration, figure=path, name=name)

    def end(self, outcome: Outcome) -> None:
        """Write how the run ended, and report it."""
        claims.confirm()
        try:
            write_json(RunFolder(self.run.folder).results, vars(outcome))
        except OSError as problem:
            self.warn(f"{self.run.name}: results.json could not be written: {problem.strerror or problem}")
        self.journal.end(vars(outcome))
        self._notify("run_finished", outcome=outcome)

    def _notify(self, hook: str, **arguments: Any) -> None:
        self.registry.notify(hook, self.warn, run=self.run, **arguments)
