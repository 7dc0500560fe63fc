"""The command `work`: to take part in a study that other commands train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from allmodes.cli.app import Quiet
from allmodes.cli.compare import Figures, Jobs, Pack, train_study
from allmodes.cli.console import FAILED, OK, print_warning
from allmodes.cli.runs import take_latest
from allmodes.registry.registry import installed
from allmodes.specs.loading import SpecError
from allmodes.specs.ranks import refuse_ranks
from allmodes.studies.load import find_untrainable
from allmodes.studies.placing import Asked, choose_executor
from allmodes.studies.stored import is_comparison, load_written
from allmodes.studies.trainer import StudyTrainer
from allmodes.system.paths import near


def work(
    study: Annotated[str, Parameter(help="the folder of a study, which another command has begun, or latest")],
    *,
    jobs: Jobs = None,
    pack: Pack = None,
    wait: Annotated[bool, Parameter(help="stay while others train, to take over from those that die")] = True,
    figures: Figures = True,
    tracking: Annotated[bool, Parameter(help="log to MLflow")] = True,
    quiet: Quiet = False,
) -> int:
    """Take part in a study that other commands train, on this host or on others that share its folder.

    It takes runs that nobody has claimed, goes on with those of commands that died, and ends with the study.
    """
    refuse_ranks("work")
    study = take_latest(study, "study")
    found, executor = load_written(study, installed()), choose_executor(Asked("join", jobs, pack), waits=wait)
    if not is_comparison(found):
        raise SpecError(f"{near(Path(study))}: no study lies there: `allmodes compare ... --on join` begins one")
    if problems := find_untrainable(found.entries):
        raise SpecError("\n".join(problems))
    trainer = StudyTrainer(found, executor, tracking, print_warning, figures=figures)
    code = train_study(trainer, quiet)
    return OK if code == FAILED and not wait and not trainer.errors else code  # others train what is left
