"""A search on the command line: progress of its batches, the best trials, and what to do with them."""

from __future__ import annotations

from collections.abc import Callable

from allmodes.cli.console import FAILED, OK, err, out, print_error, print_line, print_warning
from allmodes.cli.progress import StudyProgress
from allmodes.studies import search_report
from allmodes.studies.announcement import describe_place
from allmodes.studies.executors import Executor
from allmodes.studies.search import SearchTrainer, make_study
from allmodes.studies.trials import Trials
from allmodes.system.paths import near
from allmodes.tracking.address import default_store


def search(
    trials: Trials, name: str | None, executor: Executor, tracking: bool, log: Callable[[str], None], quiet: bool
) -> int:
    """Search, or go on, and print the best trials; returns the exit code."""
    config, study = trials.plan.config, make_study(trials, name)
    where = describe_place(study, [trials.plan.start], executor, default_store() if tracking else None)
    log(f"search {study.name}: {config.trials} trials, {config.batch} at a time; {where}")
    make_view = None if quiet else lambda: StudyProgress(err, log)
    trainer = SearchTrainer(study, executor, tracking, print_warning, trials=trials, make_view=make_view)
    try:
        trainer.run()
    except KeyboardInterrupt:  # the second Ctrl-C: show what has finished
        trainer.stop.asked = True
    return _end(trainer)


def _end(trainer: SearchTrainer) -> int:
    trials, comparison = trainer.trials, trainer.comparison()
    out.print(search_report.terminal(trials, comparison.study.name))
    for trial in trials.all():
        if trial.error:
            print_error(f"{trial.name}: {trial.error}")
    for line in search_report.notes(trials, comparison):
        print_line(line)
    print_line(f"folder   {near(comparison.folder)}")
    if trials.left:
        print_line("go on    the same command")
        return trainer.stop.code if trainer.stop.asked else FAILED
    return OK if search_report.find_best(trials) else FAILED
