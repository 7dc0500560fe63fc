"""Comparing specs: train the runs of a study that are not finished, in processes side by side, and tabulate all."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allmodes.registry.registry import Registry, installed
from allmodes.runs.claims import lease
from allmodes.runs.lock import lock_folder, take_turns
from allmodes.specs.axes import Axes, to_axes
from allmodes.specs.executor_block import read_executor
from allmodes.studies.choices import Shown, parse_columns
from allmodes.studies.claiming import check_settings, check_unclaimed, claims_folder
from allmodes.studies.comparison import Comparison
from allmodes.studies.executors import Executor, Work
from allmodes.studies.live import LiveStudy
from allmodes.studies.load import load_study
from allmodes.studies.monitor import ProgressView, StudyMonitor, Warn
from allmodes.studies.placing import Asked, Where, choose_executor, choose_for_search
from allmodes.studies.pool import Task
from allmodes.studies.report import write_report
from allmodes.studies.stacks import Stack
from allmodes.studies.study import COMPILED, Study, StudyRun, join_study, write_study
from allmodes.system.notebook import is_notebook
from allmodes.system.signals import Stop
from allmodes.text import redact

if TYPE_CHECKING:
    from allmodes.tracking.forwarding import Forwarder


def compare(
    references: Iterable[str],
    *,
    seeds: Sequence[int] | None = None,
    overrides: Sequence[str] = (),
    jobs: int | None = None,
    folder: str | Path | None = None,
    name: str | None = None,
    track: bool = True,
    registry: Registry | None = None,
    baseline: str = "",
    figures: bool = True,
    labels: Mapping[str, str] | None = None,
    columns: str | Sequence[str] = (),
    progress: bool = True,
    vary: Mapping[str, Any] | None = None,
    on: Where | None = None,
    pack: int | None = None,
    ask: Mapping[str, Any] | None = None,
) -> Comparison:
    """Train several specs with several seeds, or go on with that, and return the comparison.

    A spec that varies gives a method for each of its members; one with `search`, given alone, is searched.

    Args:
        references: Spec files, recipes, runs' folders, and patterns of recipes such as `study/ring-*`.
        seeds: The seeds of every method; by default those of its spec.
        overrides: Changes to every spec, such as `training.iterations=2000`.
        jobs: Processes side by side; by default as the specs' `executor` says, else one for each core.
        folder: The study's folder; finished runs in it are kept. By default `runs/comparison`, or, of one spec that
            varies, `runs` and its name.
        name: The study's name; by default the folder's.
        track: Whether runs are logged to MLflow.
        registry: The plugins; by default all that are installed.
        baseline: The method that statistics compare the others with, or a pattern such as `*-gan` with one for each
            data set; by default the first.
        figures: Whether samples and curves are drawn, which takes about two seconds for ten methods.
        labels: What tables and figures call a method or a column, by its name.
        columns: Metrics and costs that tables show, by name or pattern, in that order; by default all. Labels, columns
            and baseline are kept in the folder for the next command.
        progress: Whether a notebook shows a table of the runs and curves while they train; elsewhere nothing is shown.
        vary: Settings of every spec that vary, as in a spec's `vary`: `{"training.batch_size": [64, 128]}`.
        on: `local` trains all runs here; `join` shares them with other commands in the same folder, on any host;
            `slurm` submits an array of jobs that do so, and `ray` starts tasks of Ray. By default as the specs' block
            `executor` says, else `local`.
        pack: The most runs that one process claims and trains together, but for `local`.
        ask: What is asked of Slurm or Ray, such as `{"workers": 8, "partition": "gpu"}`; over what `executor` says.

    Ctrl-C and SIGTERM save the runs in training, as they do with `Experiment.run`; after SIGTERM the program ends.

    Raises:
        SpecError: With a line for each problem, before any training.
    """
    shown, place = Shown(labels or {}, parse_columns(columns)), None if folder is None else Path(folder)
    axes, references = Axes() if vary is None else to_axes(vary), list(references)
    asked = Asked(on, jobs, pack, ask or {})
    if trainer := _make_search(references, registry, place, name, overrides, seeds, axes, asked, track):
        comparison = trainer.run()
        trainer.stop.pass_on()
        return comparison
    study = load_study(references, registry or installed(), place, name, overrides, seeds, baseline, shown, axes)
    executor = choose_executor(asked, study.blocks)
    trainer = StudyTrainer(
        *(study, executor, track, lambda text: warnings.warn(redact.text(text), stacklevel=3)),
        view=LiveStudy() if progress and is_notebook() else None,
        baseline=baseline,
        figures=figures,
    )
    comparison = trainer.run()
    trainer.stop.pass_on()
    return comparison


def _make_search(
    references: Sequence[str],
    registry: Registry | None,
    folder: Path | None,
    name: str | None,
    overrides: Sequence[str],
    seeds: Sequence[int] | None,
    vary: Axes,
    asked: Asked,
    track: bool,
) -> StudyTrainer | None:
    """The search of a single spec, if it has one."""
    from allmodes.studies.search import SearchTrainer, load_search, make_study  # which stands on this module

    trials = load_search(references, registry or installed(), folder, overrides, seeds, vary)
    if trials is None:
        return None
    executor = choose_for_search(asked, read_executor(trials.plan.source))
    return SearchTrainer(make_study(trials, name), executor, track, _warn_in_python, trials=trials)


def _warn_in_python(text: str) -> None:
    warnings.warn(redact.text(text), stacklevel=4)


@dataclass
class StudyTrainer:
    """Trains the runs of a study that are not finished, and writes its report.

    `errors` holds the errors of this command by the run's name, `thresholds` what runs have to reach so as not to be
    pruned.
    """

    study: Study
    executor: Executor
    track: bool
    warn: Warn
    view: ProgressView | None = None
    baseline: str = ""
    figures: bool = True
    errors: dict[str, str] = field(default_factory=dict)
    stop: Stop = field(default_factory=Stop)
    thresholds: Mapping[str, Any] | None = None

    def run(self) -> Comparison:
        """Train, and write tables and figures even if training is interrupted.

        Raises RunError if another process trains in the study's folder.
        """
        with self._entering(), self._forwarding() as forwarder:
            try:
                self._train(forwarder)
            finally:
                comparison = self.comparison()
                with take_turns(self.study.folder, "report"):
                    write_report(comparison, forwarder, self.warn, self.figures)
        return comparison

    def comparison(self) -> Comparison:
        """The state of the study; of one that others train, too, with their methods."""
        study = self.study
        if self.executor.shares:
            from allmodes.studies.stored import load_written

            study = load_written(study.folder, installed())
        return Comparison(study, self.errors, self.baseline)

    @contextmanager
    def _entering(self) -> Iterator[None]:
        """Write the study's pages; nobody else trains in its folder within the block, unless by `join`."""
        lease()  # one that cannot be used is an error before anything is written
        folder = self.study.folder
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as lock:
            with take_turns(folder, "join"):  # of commands that begin at once, none finds another's short lock
                lock.enter_context(lock_folder(folder))
                if self.executor.shares:
                    check_settings(self.study)
                    self.study = join_study(self.study)
                    lock.close()
                else:
                    check_unclaimed(self.study)
                    self.study = write_study(self.study)
            yield

    def _train(self, forwarder: Forwarder | None) -> None:
        self._train_runs([run for run in self.study.runs if run.state != "finished"], forwarder)

    def _train_runs(self, unfinished: Sequence[StudyRun], forwarder: Forwarder | None) -> None:
        monitor = StudyMonitor(self.warn, self.errors, self.view, forwarder)
        work = Work(self.study, unfinished, self._task, monitor, self.stop, self._environment(), self.track)
        if self.view:
            self.view.begin(self.study.runs, unfinished)
        try:
            with self.stop.listening():
                self.executor.train(work)
        finally:
            if self.view:
                self.view.close()

    def _environment(self) -> dict[str, str]:
        """Let torch keep what it compiles in the study's folder, for all processes of this command and the next."""
        compiled = {"TORCHINDUCTOR_CACHE_DIR": str(self.study.folder.absolute() / COMPILED)}
        if not self.track:
            return compiled
        from allmodes.tracking import surroundings

        return compiled | surroundings.of_workers()

    def _task(self, stack: Stack) -> Task:
        runs = self.study.runs
        return {
            "runs": [
                {"name": run.name, "folder": str(run.entry.folder), "seed": run.seed, "position": runs.index(run)}
                for run in stack
            ],
            "number": len(runs),
            "track": self.track,
            "study": self.study.name,
            "study_id": self.study.id,
            "claims": str(claims_folder(self.study)) if self.executor.shares else None,
            "thresholds": self.thresholds,
        }

    def _forwarding(self) -> AbstractContextManager[Forwarder | None]:
        if not self.track:
            return nullcontext()
        from allmodes.tracking.forwarding import Forwarder

        forwarder = Forwarder(self.warn)
        for run in self.study.runs:
            if run.state == "finished":  # by an earlier command, which could not send all of it
                forwarder.add(run.folder)
        return forwarder
