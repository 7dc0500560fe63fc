"""The training of a study: its runs that are not finished by an executor, and its report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from allmodes.registry.registry import Registry, installed
from allmodes.runs.claims import lease
from allmodes.runs.lock import lock_folder, take_turns
from allmodes.studies.claiming import check_settings, check_unclaimed, claims_folder
from allmodes.studies.comparison import Comparison
from allmodes.studies.executors import Executor, Work
from allmodes.studies.monitor import ProgressView, StudyMonitor, Warn
from allmodes.studies.pool import Task
from allmodes.studies.report import write_report
from allmodes.studies.stacks import Stack
from allmodes.studies.stored import load_written
from allmodes.studies.study import COMPILED, Study, StudyRun, join_study, look_again, write_study
from allmodes.system.signals import Stop
from allmodes.tracking.address import default_store

if TYPE_CHECKING:
    from allmodes.tracking.forwarding import Forwarder


@dataclass
class StudyTrainer:
    """Trains the runs of a study that are not finished, and writes its report.

    `errors` holds the errors of this command by the run's name, `thresholds` what runs have to reach so as not to be
    pruned, `registry` the plugins and objects that its specs may name, by default all that is installed.
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
    registry: Registry | None = None

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
            study = load_written(study.folder, self.registry or installed())
        return Comparison(look_again(study), self.errors, self.baseline, self.registry)

    @contextmanager
    def _entering(self) -> Iterator[None]:
        """Write the study's pages; nobody else trains in its folder within the block, unless by `join`."""
        lease()  # one that cannot be used is an error before anything is written
        if self.track:
            default_store()  # as is an address of no kind of store
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
