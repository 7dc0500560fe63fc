"""Comparing methods: train what of a study has not been trained, in processes side by side, and tabulate it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from allmodes.experiments import logs
from allmodes.registry.registry import Registry, installed
from allmodes.runs.lock import alone
from allmodes.runs.run_folder import RunFolder
from allmodes.studies import tables
from allmodes.studies.comparison import Comparison
from allmodes.studies.pool import Message, Pool, Task
from allmodes.studies.study import Study, Unit, load_study, write_study
from allmodes.system.signals import Stop
from allmodes.text import redact

if TYPE_CHECKING:
    from allmodes.tracking.forwarding import Forwarder

FOLDER = Path("runs") / "comparison"
LAST_LINES = 5  # of the log of a process that died
Warn = Callable[[str], None]


class Watcher(Protocol):
    """Who shows how far a study is."""

    def begin(self, units: Sequence[Unit], left: Sequence[Unit]) -> None:
        """All runs, and those that are left to train."""

    def moved(self, unit: Unit, iteration: int) -> None:
        """A run is at an iteration."""

    def end(self, unit: Unit, status: str) -> None:
        """A run ended."""

    def close(self) -> None:
        """Nothing more comes."""


def compare(
    references: Iterable[str],
    *,
    seeds: Sequence[int] | None = None,
    overrides: Sequence[str] = (),
    jobs: int | None = None,
    folder: str | Path = FOLDER,
    name: str | None = None,
    track: bool = True,
    registry: Registry | None = None,
) -> Comparison:
    """Train several specs with several seeds, or go on with that, and return how they compare.

    Args:
        references: Spec files, recipes, runs' folders, and patterns of recipes such as `study/ring-*`.
        seeds: The seeds of every method; by default those of its spec.
        overrides: Changes to every spec, such as `training.iterations=2000`.
        jobs: Processes side by side; by default one for each core.
        folder: Where the study lies; what is finished there is kept.
        name: The study's name; by default the folder's.
        track: Whether runs are logged to MLflow.
        registry: The plugins; by default all that are installed.

    Ctrl-C and SIGTERM save what is in training, as they do with `Experiment.run`; after SIGTERM the program ends.

    Raises SpecError with a line for each thing that is wrong, before anything is trained.
    """
    study = load_study(references, registry or installed(), Path(folder), name, overrides, seeds)
    comparing = Comparing(study, jobs or cores(), track, lambda text: warnings.warn(redact.text(text), stacklevel=3))
    comparison = comparing.run()
    comparing.stop.pass_on()
    return comparison


def cores() -> int:
    """Cores that this process may use."""
    known = getattr(os, "sched_getaffinity", None)
    return len(known(0)) if known else os.cpu_count() or 1


@dataclass
class Comparing:
    """A study being trained."""

    study: Study
    jobs: int
    track: bool
    warn: Warn
    watcher: Watcher | None = None
    errors: dict[str, str] = field(default_factory=dict)
    stop: Stop = field(default_factory=Stop)
    said: set[str] = field(default_factory=set)

    def run(self) -> Comparison:
        """Train what is left, and write tables and picture.

        Raises RunError where another process trains in the study's folder.
        """
        self.study.folder.mkdir(parents=True, exist_ok=True)
        with alone(self.study.folder):
            self.study = write_study(self.study)
            comparison = Comparison(self.study, self.errors)
            with self._forwarding() as forwarder:
                try:
                    self._train(forwarder)
                finally:
                    comparison = self._write(forwarder)
        return comparison

    @property
    def left(self) -> list[Unit]:
        """The runs that are not finished, in the order in which they are trained."""
        return [unit for unit in self.study.units if unit.state != "finished"]

    def _train(self, forwarder: Forwarder | None) -> None:
        units = {unit.name: unit for unit in self.study.units}
        left = self.left
        if self.watcher:
            self.watcher.begin(list(units.values()), left)
        try:
            with self.stop.listening():
                for task, message in Pool(self.jobs, self.stop).run([self._task(unit) for unit in left]):
                    self._heard(units[task["unit"]], message, forwarder)
        finally:
            if self.watcher:
                self.watcher.close()

    def _task(self, unit: Unit) -> Task:
        units = [one.name for one in self.study.units]
        return {
            "unit": unit.name,
            "folder": str(unit.method.folder),
            "seed": unit.seed,
            "log": str(RunFolder(unit.folder).log),
            "track": self.track,
            "study": self.study.name,
            "study_id": self.study.id,
            "position": units.index(unit.name),
            "runs": len(units),
        }

    def _heard(self, unit: Unit, message: Message, forwarder: Forwarder | None) -> None:
        if message["what"] == "progress":
            if self.watcher:
                self.watcher.moved(unit, message["iteration"])
        elif message["what"] == "data":
            self._learned(message["text"], message["partly"])
        elif message["what"] == "warning":
            self.warn(f"{unit.name}: {message['text'].removeprefix(f'{unit.name}: ')}")
        else:
            self._ended(unit, message, forwarder)

    def _learned(self, text: str, partly: bool) -> None:
        """Say what is learned from, once for all runs that learn from it."""
        if text not in self.said:
            self.said.add(text)
            logs.learned(text, partly, self.warn)

    def _ended(self, unit: Unit, message: Message, forwarder: Forwarder | None) -> None:
        died = message["what"] == "died"
        if error := _death(unit, message["code"]) if died else message["error"]:
            self.errors[unit.name] = error
        if self.watcher:
            self.watcher.end(unit, "failed" if died else message["status"])
        if forwarder:
            forwarder.add(unit.folder)

    def _write(self, forwarder: Forwarder | None) -> Comparison:
        """Tables and picture of what there is; what a full disk refuses costs a warning."""
        comparison = Comparison(self.study, self.errors)
        try:
            tables.write(comparison)
            files = [self.study.folder / name for name in ("table.md", "table.tex", "table.csv")]
            files += _pictures(comparison, self.warn)
        except OSError as error:
            self.warn(f"{self.study.folder}: tables or picture could not be written: {error.strerror or error}")
            return comparison
        if forwarder:
            runs = [unit.folder for unit in self.study.units]
            forwarder.attach(runs, files, (self.study.folder / "table.md").read_text())
        return comparison

    def _forwarding(self) -> AbstractContextManager[Forwarder | None]:
        if not self.track:
            from contextlib import nullcontext

            return nullcontext()
        from allmodes.tracking.forwarding import Forwarder

        forwarder = Forwarder(self.warn)
        for unit in self.study.units:
            if unit.state == "finished":  # by an earlier command, which could not send all of it
                forwarder.add(unit.folder)
        return forwarder


def _death(unit: Unit, code: int) -> str:
    """What ended a process, with the last that it said."""
    log = RunFolder(unit.folder).log
    lines = log.read_text(errors="replace").splitlines()[-LAST_LINES:] if log.is_file() else []
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    hint = " (out of memory? try fewer --jobs)" if code == -9 else ""
    said = "".join(f"\n  {line}" for line in lines)
    return f"its process {how}{hint}; the same command goes on from its last checkpoint{said}"


def _pictures(comparison: Comparison, warn: Warn) -> list[Path]:
    """The figure, where there is anything to see; one that fails costs a warning."""
    from allmodes.studies.figure import draw_figure

    try:
        return draw_figure(comparison)
    except Exception as error:
        warn(f"no figure: {type(error).__name__}: {error}")
        return []


__all__ = ["Comparing", "Comparison", "compare", "cores"]
