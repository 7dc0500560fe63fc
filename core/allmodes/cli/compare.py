"""The command `compare`: several specs with several seeds."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from allmodes.cli import completing, searching
from allmodes.cli.app import (
    Columns,
    Labels,
    Overrides,
    Quiet,
    Register,
    SystemMetrics,
    Vary,
)
from allmodes.cli.beginning import describe_waiting, set_up, start_log
from allmodes.cli.console import (
    FAILED,
    OK,
    err,
    out,
    print_error,
    print_line,
    print_note,
    print_warning,
)
from allmodes.cli.progress import StudyProgress
from allmodes.cli.runs import take_latest
from allmodes.cli.tracking import check_register, register_trained
from allmodes.registry.registry import installed
from allmodes.specs.axis_reader import parse_axes
from allmodes.specs.executor_block import read_executor
from allmodes.specs.loading import SpecError
from allmodes.specs.ranks import refuse_ranks
from allmodes.specs.seeds import parse_seeds
from allmodes.studies.announcement import announce
from allmodes.studies.choices import Shown, parse_columns, parse_labels
from allmodes.studies.comparison import Comparison
from allmodes.studies.load import load_study
from allmodes.studies.placing import Asked, Where, choose_executor, choose_for_search, parse_ask
from allmodes.studies.search import load_search
from allmodes.studies.tables import terminal
from allmodes.studies.trainer import StudyTrainer
from allmodes.system.paths import near
from allmodes.system.signals import Stop
from allmodes.text import redact
from allmodes.tracking.address import default_store

STUDY_FOLDER = "where the study lies, or latest; default: runs/comparison, or runs/NAME of one spec that varies"
Jobs = Annotated[int | None, Parameter(name=("--jobs", "-j"), help="runs side by side; default: one a core")]
Pack = Annotated[int | None, Parameter(help="on join: most runs that a process claims and trains together")]
Ask = Annotated[
    list[str] | None, Parameter(name="--ask", consume_multiple=False, help="of Slurm or Ray: workers=8, partition=gpu")
]
Figures = Annotated[bool, Parameter(help="draw samples and curves")]


def compare(
    methods: Annotated[
        list[str],
        Parameter(
            help="specs as for run, or patterns of recipes such as 'study/ring-*'", completer=completing.references
        ),
    ],
    *,
    overrides: Overrides = None,
    vary: Vary = None,
    seeds: Annotated[str | None, Parameter(help="such as 0-4 or 0,2,5; default: each spec's")] = None,
    jobs: Jobs = None,
    folder: Annotated[Path | None, Parameter(name=("--folder", "--out", "-o"), help=STUDY_FOLDER)] = None,
    name: Annotated[str | None, Parameter(help="the study's name; default: the folder's")] = None,
    baseline: Annotated[str, Parameter(help="what statistics compare with, such as '*-gan'; default: the first")] = "",
    labels: Labels = None,
    columns: Columns = None,
    figures: Figures = True,
    on: Annotated[
        Where | None,
        Parameter(help="local; join: share the runs with the same command elsewhere; slurm, ray: by their jobs"),
    ] = None,
    pack: Pack = None,
    ask: Ask = None,
    tracking: Annotated[bool, Parameter(help="log to MLflow")] = True,
    register: Register = None,
    system_metrics: SystemMetrics = False,
    quiet: Quiet = False,
) -> int:
    """Train several specs with several seeds side by side, and tabulate them. Run it again to go on."""
    refuse_ranks("compare")
    check_register(register, tracking)
    methods = [take_latest(method) for method in methods]
    folder = None if folder is None else Path(take_latest(str(folder), "study"))
    asked = Asked(on, jobs, pack, parse_ask(ask or ()))
    chosen, axes = None if seeds is None else parse_seeds(seeds), parse_axes(vary or ())
    shown = Shown(parse_labels(labels or ()), parse_columns(columns))
    if trials := load_search(methods, installed(), folder, overrides or (), chosen, axes):
        if register:
            raise SpecError("--register: a search registers no model: train its best.yaml with it")
        set_up(system_metrics)
        log = print_note if quiet else start_log()
        executor = choose_for_search(asked, read_executor(trials.plan.source))
        return searching.search(trials, name, executor, tracking, log, quiet)
    study = load_study(methods, installed(), folder, name, overrides or (), chosen, baseline, shown, axes)
    study, executor = replace(study, command=_command()), choose_executor(asked, study.blocks)
    set_up(system_metrics)
    trainer = StudyTrainer(study, executor, tracking, print_warning, None, baseline, figures)
    return register_trained(study.folder, register, train_study(trainer, quiet))


def train_study(trainer: StudyTrainer, quiet: bool) -> int:
    """Train a study, and print its end; returns the exit code."""
    study = trainer.study
    log = print_note if quiet else start_log()
    log(announce(study, trainer.executor, default_store() if trainer.track else None))
    trainer.view = None if quiet else StudyProgress(err, log)
    try:
        comparison = trainer.run()
    except KeyboardInterrupt:  # the second Ctrl-C: tabulate what has finished
        comparison, trainer.stop.asked = Comparison(trainer.study, trainer.errors, trainer.baseline), True
    return _end_study(comparison, trainer.stop)


def _command() -> str:
    """The command line of this process, without secrets; empty where another program calls this one."""
    called = Path(sys.argv[0]).name in ("allmodes", "allmodes.exe", "__main__.py")
    return redact.command(["allmodes", *sys.argv[1:]]) if called else ""


def _end_study(comparison: Comparison, stop: Stop) -> int:
    """Print the tables, and the runs that are not finished; returns the exit code."""
    for table in terminal(comparison, out.width):
        out.print(table)
    for line in comparison.unfinished:
        print_error(line)
    if waiting := comparison.waiting:
        (print_line if stop.asked else print_error)(describe_waiting(waiting))
    print_line(f"folder   {near(comparison.folder)}")
    if comparison.status == "finished":
        return OK
    print_line("go on    the same command")
    return stop.code if stop.asked else FAILED
