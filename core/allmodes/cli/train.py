"""Commands that train one spec: `run` and `resume`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from allmodes.cli import tables
from allmodes.cli.app import (
    AsJson,
    Begun,
    Overrides,
    Quiet,
    Reference,
    Register,
    SystemMetrics,
    Vary,
)
from allmodes.cli.beginning import describe_waiting, set_up
from allmodes.cli.compare import compare
from allmodes.cli.console import (
    FAILED,
    OK,
    RichLogHandler,
    err,
    out,
    print_error,
    print_line,
    print_note,
    print_warning,
)
from allmodes.cli.progress import RunProgress, StartNote
from allmodes.cli.python_objects import check_resumable
from allmodes.cli.runs import take_latest
from allmodes.cli.tracking import check_register, register_trained
from allmodes.experiments import logs
from allmodes.registry.registry import installed
from allmodes.runs.run_folder import RunFolder, new_name
from allmodes.specs import loading
from allmodes.specs.executor_block import KEY, read_executor
from allmodes.specs.loading import SpecError
from allmodes.specs.members import is_sweep_file
from allmodes.specs.ranks import check_ranks, refuse_ranks
from allmodes.specs.seeds import check_seeds, parse_seeds
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import at_home, near, place
from allmodes.system.ranks import find_rank
from allmodes.system.signals import Stop
from allmodes.tracking.address import default_store
from allmodes_schemas import Spec

if TYPE_CHECKING:
    from allmodes.experiments.results import Results


def run(
    spec: Reference,
    *,
    overrides: Overrides = None,
    vary: Vary = None,
    seeds: Annotated[str | None, Parameter(help="such as 0-4 or 0,2,5; default: the spec's")] = None,
    folder: Annotated[Path, Parameter(name=("--out", "-o"), help="where runs are written")] = Path("runs"),
    tracking: Annotated[bool, Parameter(help="log to MLflow")] = True,
    register: Register = None,
    system_metrics: SystemMetrics = False,
    skip_unreadable: Annotated[bool, Parameter(negative=(), help="leave out images that cannot be read")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Train a spec on its seeds, measure, log to MLflow, and print a table. Ctrl-C ends cleanly and saves."""
    check_register(register, tracking)
    spec, registry = take_latest(spec), installed()
    source = loading.read_source(spec, registry, overrides or ())
    if vary or is_sweep_file(source):
        refuse_ranks("run of several specs")
        if as_json:
            raise SpecError(f"--json: {spec} stands for several specs, which `allmodes compare` trains without --json")
        overrides = [*(overrides or ()), *(["data.skip_unreadable=true"] if skip_unreadable else [])]
        home = folder / str(source.tree.get("name"))
        return compare(
            [spec],
            overrides=overrides,
            vary=vary,
            seeds=seeds,
            folder=home,
            tracking=tracking,
            register=register,
            system_metrics=system_metrics,
            quiet=quiet,
        )
    checked = loading.check(source, registry)
    if read_executor(source):
        print_warning(source.message((KEY,), "is for `allmodes compare`: `run` trains a single spec here"))
    if skip_unreadable:
        checked = loading.load(spec, registry, [*(overrides or ()), _skip_unreadable(checked)])
    chosen = checked.seeds if seeds is None else parse_seeds(seeds)

    if (rank := find_rank()) is not None:
        check_ranks(checked, chosen, rank.processes)
    observers, name = _observers(quiet, as_json), new_name(checked.name)
    logs.log_start(checked, check_seeds(chosen), place(folder) / name, default_store() if tracking else None)
    logs.log_wait("torch")

    from allmodes.experiments.experiment import Experiment
    from allmodes.experiments.settings import Setup

    set_up(system_metrics)
    setup = Setup(named=name)
    experiment = Experiment(checked, registry, folder, tracking, observers, print_warning, setup=setup)
    stop = Stop()
    results = experiment.run(chosen, stop)
    code = _end(results, chosen, tracking, as_json, stop)
    if rank is not None and not rank.leads:
        return OK  # rank 0 tells how the run ended, and by the first exit code that is none torchrun would end it
    return register_trained(results.folder, register, code, print_note if as_json else print_line)


def resume(
    run: Begun,
    *,
    overrides: Overrides = None,
    tracking: Annotated[bool | None, Parameter(help="log to MLflow; default: as the run was")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Go on with an interrupted run, or train a finished one longer: --set training.iterations=20000."""
    run, observers = take_latest(run), _observers(quiet, as_json)
    if not holds(at_home(run).exists):
        raise SpecError(no_such_file(run))
    check_resumable(run, overrides or ())
    logs.log_wait(f"torch, and what is saved in {run}")

    from allmodes.experiments.experiment import Experiment

    experiment = Experiment.resume(run, overrides or (), track=tracking, observers=observers, warn=print_warning)
    stop = Stop()
    code = _end(experiment.run(stop=stop), experiment.spec.seeds, experiment.track, as_json, stop)
    return code if (rank := find_rank()) is None or rank.leads else OK


def _skip_unreadable(spec: Spec) -> str:
    """Return the override of `--skip-unreadable`."""
    if "skip_unreadable" not in type(spec.data).model_fields:
        raise SpecError(f"--skip-unreadable: data {spec.data.kind} reads no images one by one: leave it out")
    return "data.skip_unreadable=true"


def _observers(quiet: bool, as_json: bool) -> dict[str, object]:
    """Choose how a run's progress is shown: a bar on a terminal, log lines elsewhere."""
    if as_json or not (quiet or err.is_terminal):
        return {"log": logs.start(as_json)}
    if quiet:
        return {"beginning": StartNote(print_note)}
    logs.set_handler(RichLogHandler(), logging.INFO)
    return {"terminal": RunProgress(err)}


def _end(results: Results, seeds: Sequence[int], tracked: bool, as_json: bool, stop: Stop) -> int:
    """Print the results of an experiment; returns the exit code."""
    if not as_json:
        _print_results(results, seeds, tracked)
    return {"finished": OK, "killed": stop.code}.get(results.status, FAILED)


def _print_results(results: Results, seeds: Sequence[int], tracked: bool) -> None:
    out.print(tables.results_table(results))
    if results.references:
        of_seeds = [outcome.results for outcome in results.outcomes.values()]
        out.print(tables.references_table(results.metrics, of_seeds, results.floors, results.references))
    for seed, outcome in results.outcomes.items():
        if outcome.error:
            print_error(f"seed {seed}: {outcome.error}")
    if waiting := [f"seed {seed}" for seed in seeds if seed not in results.outcomes]:
        print_line(describe_waiting(waiting))
    print_line(f"folder   {near(results.folder)}")
    if (picture := RunFolder(results.folder).picture).exists():
        print_line(f"picture  {near(picture)}")
    if tracked:
        print_line("MLflow   allmodes ui")
    if results.status == "killed":
        print_line(f"resume   allmodes resume {near(results.folder)}")
