"""Training runs, one after another or together as their engine does, and what is written of an experiment's seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.nn.modules.conv import _ConvNd

from allmodes.engine.choice import LANES, Choice, choose
from allmodes.engine.peers import Peers
from allmodes.experiments import logs, resume
from allmodes.experiments.errors import describe_error, is_fault, print_traceback, report_fault
from allmodes.experiments.leading import Leader
from allmodes.experiments.lockstep import train_together
from allmodes.experiments.report import Report
from allmodes.experiments.resources import Resources
from allmodes.experiments.results import Results
from allmodes.experiments.run_page import write_run_page
from allmodes.experiments.seed_run import SeedRun
from allmodes.figures.draw import draw_panels
from allmodes.game.contracts import Functions
from allmodes.models.page import ModelError
from allmodes.models.reading import read_model
from allmodes.registry.registry import Registry
from allmodes.runs.lock import lock_folder
from allmodes.runs.run import Outcome, Run, RunError
from allmodes.runs.run_folder import RunFolder, progress_of
from allmodes.system import signals
from allmodes.system.signals import Stop, Stopped
from allmodes.system.torch_settings import settings

T = TypeVar("T")


@dataclass
class Trainer:
    """Trains runs in this process, until `stop` is asked for; as rank 0 of `peers`, where these train one together."""

    resources: Resources
    registry: Registry
    functions: Functions
    track: bool
    stop: Stop
    peers: Peers | None = None
    panels: list[tuple[str, Tensor]] = field(default_factory=list)

    def train_all(self, runs: Sequence[Run], folder: Path) -> Results:
        """Train runs; however that ends, the outcomes so far and a picture are written to the folder."""
        is_resumed = self.resources.setup.resumed is not None
        outcomes = RunFolder(folder).outcomes() if is_resumed else {}
        results = Results(self.resources.spec, folder, outcomes)
        try:
            for run, outcome in train_runs([(self, run) for run in runs], self.stop):
                outcomes[run.seed] = outcome
        finally:
            self._write(results)
        return results

    def open(self, run: Run, locks: ExitStack) -> SeedRun | Outcome:
        """A run in its folder, ready to begin or to go on; the outcome of one that is finished or cannot be built."""
        run.folder.mkdir(parents=True, exist_ok=True)
        try:
            locks.enter_context(lock_folder(run.folder))
        except RunError:
            if run.folder not in self.resources.setup.taken_over:
                raise
        if self.resources.setup.resumed and (outcome := resume.outcome_if_done(run)):
            logs.LOGGER.info(f"{run.name} is finished at iteration {outcome.iteration:,}: nothing is left to do")
            self._show(run, self._draw(run))
            return outcome
        return self._build(run)

    def close(self, seed_run: SeedRun) -> None:
        """Show what a run that has ended has drawn."""
        run, samples = seed_run.run, seed_run.samples
        self._show(run, self._draw(run) if seed_run.is_resumed and samples is None else samples)

    def _show(self, run: Run, samples: Tensor | None) -> None:
        """Keep samples, if there are any, for the picture of all runs."""
        self.panels += [] if samples is None else [(f"seed {run.seed}", samples)]

    def _build(self, run: Run) -> SeedRun | Outcome:
        resources, warn = self.resources, self.resources.warn
        is_begun = RunFolder(run.folder).is_run
        write_run_page(run, self.track, resources.here, self.registry, warn)
        labelled, data, metrics = resources.labelled(run.seed), resources.data, resources.metrics
        beside = self._interruptible(lambda: resources.floors), self._interruptible(lambda: resources.references)
        try:
            leader = Leader(self.peers, self.stop, run) if self.peers else None
            with self.stop.interrupting():  # a prior, say, may be fitted for minutes
                signals.check()
                seed_run = SeedRun(
                    *(run, data, metrics, self.registry, warn, *beside, self.functions, labelled),
                    *(resources.here, leader),
                    warn_once=resources.warn_once,
                )
        except Stopped:
            return Outcome("killed", progress_of(run.folder), 0.0)
        except Exception as error:
            if not is_fault(error):
                raise
            return self._fail(run, error)
        if is_begun:
            seed_run.restore()
        else:
            seed_run.warm_start()
        return seed_run

    def _interruptible(self, measure: Callable[[], T]) -> Callable[[], T]:
        """What measures, for whom a stop does not wait."""

        def interruptible() -> T:
            with self.stop.interrupting():
                return measure()

        return interruptible

    def _fail(self, run: Run, error: Exception) -> Outcome:
        """The outcome of a run whose components cannot be built."""
        report_fault(error, run, self.resources.warn)
        report = Report(run, self.registry, self.resources.warn)
        outcome = Outcome("failed", 0, 0.0, error=describe_error(error))
        report.start(0)
        report.end(outcome)
        return outcome

    def _draw(self, run: Run) -> Tensor | None:
        """Samples of a run that has ended; a damaged model, or a sampler that fails, costs a warning."""
        try:
            model = read_model(run.spec, run.folder, RunFolder(run.folder).model, self.registry)
            return model.draw(run.spec.evaluation.samples)
        except Exception as error:
            if not isinstance(error, ModelError) and not is_fault(error):
                raise
            problem = error if isinstance(error, ModelError) else describe_error(error)
            self.resources.warn(f"{run.name}: no samples for the picture: {problem}")
            return None

    def _write(self, results: Results) -> None:
        """Write outcomes and picture; a full disk costs a warning, since the seeds' own folders hold the same."""
        try:
            results.write()
            if self.panels and self.resources.spec.evaluation.figure:
                draw_panels(self.panels, self.resources.data, RunFolder(results.folder).picture)
        except OSError as error:
            problem = f"results or picture could not be written: {error.strerror or error}"
            self.resources.warn(f"{results.folder}: {problem}")


Unit: TypeAlias = tuple[Trainer, Run]


def train_runs(units: Sequence[Unit], stop: Stop, is_forgiving: bool = False) -> Iterator[tuple[Run, Outcome]]:
    """Train runs of one or several experiments, one after another or together, as their engine does; yields their ends.

    Settings of torch are those of the first. An error that is no component's ends all, or `is_forgiving` its run alone.
    """
    training, left = units[0][0].resources.spec.training, list(units)
    with stop.listening(), settings(training.threads, training.deterministic):
        while left and not stop.asked:
            ended = list(_train_some(left[:LANES], stop, is_forgiving))
            yield from ended
            left = left[len(ended) :]


def _train_some(units: Sequence[Unit], stop: Stop, is_forgiving: bool) -> Iterator[tuple[Run, Outcome]]:
    """Train the first of several runs or, if its engine takes more than one, all of them."""
    with ExitStack() as locks:
        opened = [(units[0], _open(units[0], locks, is_forgiving))]
        choice = _choose(opened[0][1], units)
        if (peers := units[0][0].peers) is not None:
            choice = Choice("eager", f"{peers.rank.processes} processes train it together")
        if choice.engine != "eager":
            opened += [(unit, _open(unit, locks, is_forgiving)) for unit in units[1:]]
        seed_runs = [run for _, run in opened if isinstance(run, SeedRun)]
        outcomes = train_together(seed_runs, choice, stop, is_forgiving)
        for (trainer, run), one in opened:
            if isinstance(one, SeedRun):
                trainer.close(one)
            yield run, outcomes[one] if isinstance(one, SeedRun) else one


def _open(unit: Unit, locks: ExitStack, is_forgiving: bool) -> SeedRun | Outcome:
    trainer, run = unit
    try:
        return trainer.open(run, locks)
    except Exception as error:
        if not is_forgiving:
            raise
        print_traceback(error)
        return Outcome("failed", 0, 0.0, error=describe_error(error))


def _choose(first: SeedRun | Outcome, units: Sequence[Unit]) -> Choice:
    """The engine for runs, by the first of them; nothing is chosen for one that has ended."""
    if isinstance(first, Outcome):
        return Choice("eager", "")
    modules = first.lane.composition.modules.values()
    convolutions = any(isinstance(inner, _ConvNd) for module in modules for inner in module.modules())
    parameters = sum(parameter.numel() for module in modules for parameter in module.parameters())
    run = first.run
    return choose(run.spec.training, torch.device(run.device).type, len(units), parameters, convolutions)
