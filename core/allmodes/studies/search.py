"""Searching for the best settings: batches of trials that Optuna suggests, trained like the methods of a study."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from allmodes.registry.registry import Registry
from allmodes.runs import averages
from allmodes.specs import loading
from allmodes.specs.axes import Axes
from allmodes.specs.search_plan import RECENT, SearchPlan, read_plan
from allmodes.specs.source import SpecError
from allmodes.studies import search_report
from allmodes.studies.comparison import Comparison
from allmodes.studies.conflicts import conflicts
from allmodes.studies.load import RUNS, runs_in_the_way
from allmodes.studies.monitor import ProgressView
from allmodes.studies.pruning import MARK, make_thresholds, mean_course, read_course
from allmodes.studies.report import write_report
from allmodes.studies.study import Study, StudyEntry, look_again, read_page, write_study
from allmodes.studies.trainer import StudyTrainer
from allmodes.studies.trials import End, Trial, Trials
from allmodes.system.paths import near, place

if TYPE_CHECKING:
    from allmodes.tracking.forwarding import Forwarder


def load_search(
    references: Sequence[str],
    registry: Registry,
    folder: Path | None = None,
    overrides: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
    vary: Axes = Axes(),  # noqa: B008, a frozen value
) -> Trials | None:
    """Load and check the search of a single reference; None where it has none. Nothing is written.

    Raises SpecError with a line for each problem: also where the folder holds another search, or Optuna is missing.
    """
    if len(references) != 1 or set("*?[") & set(references[0]):
        return None
    source = loading.read_source(references[0], registry, overrides)
    if "search" not in source.tree:
        return None
    plan = read_plan(source, vary, registry, seeds)
    trials = Trials(place(RUNS / plan.name if folder is None else folder), plan)
    problems = [*runs_in_the_way(trials.folder), *conflicts([entry for entry, _ in _entries(trials)], registry)]
    if problems:
        raise SpecError("\n".join(problems))
    return trials


@dataclass
class SearchTrainer(StudyTrainer):
    """Trains a search batch after batch, to its number of trials, and writes its report.

    Attributes:
        trials: The trials so far, and what suggests the next ones.
        make_view: Makes the view of a batch, if there is one.
    """

    trials: Trials = field(kw_only=True)
    make_view: Callable[[], ProgressView] | None = field(default=None, kw_only=True)

    @override
    def run(self) -> Comparison:
        """Search, and write tables and `best.yaml` even if it is interrupted.

        Raises RunError if another process trains in the study's folder.
        """
        with self._entering(), self._forwarding() as forwarder:
            self.trials = Trials(self.trials.folder, self.trials.plan)  # another command may have gone on with it
            self.trials.open()
            self.study = write_study(self._with_trials())
            try:
                self._train(forwarder)
            finally:
                comparison = self.comparison()
                write_report(comparison, forwarder, self.warn, figures=False)
                search_report.write(self.trials, comparison, self.warn)
        return comparison

    @override
    def comparison(self) -> Comparison:
        """The state of the study."""
        return Comparison(look_again(self._with_trials()), self.errors, self.baseline, self.registry)

    @override
    def _train(self, forwarder: Forwarder | None) -> None:
        died: set[str] = set()
        while not self.stop.asked and not died and (batch := self.trials.next_batch()):
            names = {trial.name for trial in batch}
            self._write_entries(names)
            self.thresholds = self._make_thresholds()
            self.view = self.make_view() if self.make_view else None
            runs = [run for run in self.study.runs if run.entry.name in names and run.state != "finished"]
            self._train_runs(runs, forwarder)
            if not self.stop.asked:
                died = {run.entry.name for run in runs if run.state == "interrupted"}  # the same command goes on
                self._tell([trial for trial in batch if trial.name not in died])

    def _write_entries(self, names: Collection[str]) -> None:
        """Write the specs of a batch: those of the trials before are there."""
        study = self._with_trials()
        write_study(replace(study, entries=tuple(entry for entry in study.entries if entry.name in names)))
        self.study = study

    def _with_trials(self) -> Study:
        """The study with the entries of all trials so far that have a spec."""
        return replace(self.study, entries=tuple(entry for entry, _ in _entries(self.trials)))

    def _tell(self, batch: Sequence[Trial]) -> None:
        entries = {entry.name: entry for entry in self.study.entries}
        key = self.trials.plan.config.by.removeprefix(RECENT)
        for trial in batch:
            if (entry := entries.get(trial.name)) is None:
                self.trials.tell(trial, "failed", None, {}, _why_invalid(self.trials.plan, trial))
                continue
            course = mean_course([read_course(run.folder, key) for run in entry.runs])
            end, value = self._judge(entry)
            self.trials.tell(trial, end, value, course, self._error(entry) if end == "failed" else "")

    def _judge(self, entry: StudyEntry) -> tuple[End, float | None]:
        """How a trial ended, and the mean of its number over the seeds."""
        outcomes = [run.outcome for run in entry.runs]
        finished = [one for one in outcomes if one is not None and one.status == "finished"]
        if any(one.stopped and one.stopped.startswith(MARK) for one in finished):
            return "pruned", None
        values = averages.known(one.results.get(self.trials.plan.config.by, float("nan")) for one in finished)
        is_whole = len(values) == len(outcomes)  # a mean over fewer seeds than others have is no number to choose by
        return ("complete", averages.mean(values)) if is_whole else ("failed", None)

    def _error(self, entry: StudyEntry) -> str:
        found = [self.errors.get(run.name) or (run.outcome and run.outcome.error) for run in entry.runs]
        return next((error for error in found if error), self._describe_withheld(entry))

    def _describe_withheld(self, entry: StudyEntry) -> str:
        by = self.trials.plan.config.by
        known = averages.known(run.outcome.results.get(by, float("nan")) for run in entry.runs if run.outcome)
        return f"{by} was withheld in {len(entry.runs) - len(known)} of {len(entry.runs)} seeds"

    def _make_thresholds(self) -> Mapping[str, Any] | None:
        """What the runs of a batch have to reach, by the trials that are complete."""
        plan = self.trials.plan
        if not plan.config.prune:
            return None
        complete = {trial.name for trial in self.trials.all() if trial.end == "complete"}
        entries = [entry for entry in self.study.entries if entry.name in complete]
        key = plan.config.by.removeprefix(RECENT)
        courses = [mean_course([read_course(run.folder, key) for run in entry.runs]) for entry in entries]
        return make_thresholds(courses, key, plan.better, plan.start.training.iterations)


def make_study(trials: Trials, name: str | None = None) -> Study:
    """The study of a search, which may hold no trial yet."""
    page = read_page(trials.folder)
    entries = tuple(entry for entry, _ in _entries(trials))
    return Study(name or page.name or trials.plan.name, trials.folder, entries, page.id, page.shown)


def _entries(trials: Trials) -> Iterator[tuple[StudyEntry, Trial]]:
    """The trials whose settings fit a spec, as methods of a study."""
    for trial in trials.all():
        try:
            member = trials.plan.member(trial.number, trial.values)
        except SpecError:
            continue
        ended = {"trial": trial.end} if trial.end in ("pruned", "failed") else {}
        varied = {**member.settings, **ended}
        yield StudyEntry(str(near(trials.path)), member.spec, trials.folder / member.name, member.name, varied), trial


def _why_invalid(plan: SearchPlan, trial: Trial) -> str:
    try:
        plan.member(trial.number, trial.values)
    except SpecError as error:
        return str(error).splitlines()[0]
    return ""
