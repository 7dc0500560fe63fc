"""Training the seeds of an experiment, one after another, and what is written of all of them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from allmodes.experiments import logs, resume
from allmodes.experiments.errors import describe_error, is_fault, report_fault
from allmodes.experiments.report import Report
from allmodes.experiments.resources import Resources
from allmodes.experiments.run_page import write_run_page
from allmodes.experiments.seed_run import SeedRun
from allmodes.figures.draw import draw_panels
from allmodes.game.contracts import Functions
from allmodes.models.page import ModelError
from allmodes.models.trained import read_model
from allmodes.registry.registry import Registry
from allmodes.runs.lock import lock_folder
from allmodes.runs.results import Results
from allmodes.runs.run import Outcome, Run
from allmodes.runs.run_folder import RunFolder
from allmodes.system.signals import Stop
from allmodes.system.torch_settings import settings


@dataclass
class Trainer:
    """Trains runs in this process, until `stop` is asked for."""

    resources: Resources
    registry: Registry
    functions: Functions
    track: bool
    stop: Stop
    panels: list[tuple[str, Tensor]] = field(default_factory=list)

    def train_all(self, runs: Iterable[Run], folder: Path) -> Results:
        """Train runs in turn; however that ends, the outcomes so far and a picture are written to the folder."""
        is_resumed = self.resources.setup.resumed is not None
        outcomes = RunFolder(folder).outcomes() if is_resumed else {}
        results = Results(self.resources.spec, folder, outcomes)
        try:
            with self.stop.listening(), self._settings():
                for run in runs:
                    if self.stop.asked:
                        break
                    run.folder.mkdir(exist_ok=is_resumed)
                    outcomes[run.seed] = self._train(run)
        finally:
            self._write(results)
        return results

    def train(self, run: Run) -> Outcome:
        """Train one run in its folder, or go on with it."""
        run.folder.mkdir(parents=True, exist_ok=True)
        with self.stop.listening(), self._settings():
            return self._train(run)

    def _train(self, run: Run) -> Outcome:
        with lock_folder(run.folder):
            if self.resources.setup.resumed and (outcome := resume.outcome_if_done(run)):
                logs.LOGGER.info(f"{run.name} is finished at iteration {outcome.iteration:,}: nothing is left to do")
                samples = self._draw(run)
            else:
                outcome, samples = self._go_on(run)
        self.panels += [] if samples is None else [(f"seed {run.seed}", samples)]
        return outcome

    def _go_on(self, run: Run) -> tuple[Outcome, Tensor | None]:
        resources, warn = self.resources, self.resources.warn
        is_begun = RunFolder(run.folder).is_run
        write_run_page(run, self.track, resources.here, self.registry, warn)
        labelled = resources.labelled(run.seed)
        try:
            seed_run = SeedRun(
                run, resources.data, resources.metrics, self.registry, warn, self.stop, self.functions, labelled
            )
        except Exception as error:
            if not is_fault(error):
                raise
            return self._fail(run, error), None
        if is_begun:
            seed_run.restore()
        outcome = seed_run.train(lambda: resources.floors)
        return outcome, self._draw(run) if is_begun and seed_run.samples is None else seed_run.samples

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

    def _settings(self) -> AbstractContextManager[None]:
        training = self.resources.spec.training
        return settings(training.threads, training.deterministic)
