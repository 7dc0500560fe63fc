"""Weights & Biases for allmodes: numbers, pictures, spec and end of each run, where `ALLMODES_WANDB=<project>` asks.

Runs are kept in `wandb/` in their folders, and nothing is sent unless `WANDB_MODE=online`; `wandb sync` sends them
later. A run that is resumed has the same id, and so goes on as the same run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes import Outcome, Run, hookimpl

if TYPE_CHECKING:
    import wandb

SWITCH = "ALLMODES_WANDB"
_runs: dict[Path, wandb.Run | None] = {}
"""By folder; None for a run that could not be begun."""


@hookimpl
def allmodes_run_started(run: Run) -> None:
    """Begin a run, or go on with it."""
    if (project := os.environ.get(SWITCH, "0")) not in ("", "0"):
        _runs[run.folder] = None
        _runs[run.folder] = _begin(run, project)


@hookimpl
def allmodes_metrics_logged(run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
    """Log numbers."""
    if log := _runs.get(run.folder):
        log.log(dict(metrics), step=iteration)


@hookimpl
def allmodes_samples_drawn(run: Run, iteration: int, figure: Path, name: str) -> None:
    """Log a picture."""
    if log := _runs.get(run.folder):
        import wandb

        log.log({name: wandb.Image(str(figure))}, step=iteration)


@hookimpl
def allmodes_run_finished(run: Run, outcome: Outcome) -> None:
    """Note the last measures and how a run ended, and end it."""
    if log := _runs.pop(run.folder, None):
        log.summary.update({**outcome.results, "status": outcome.status, "error": outcome.error})
        log.finish(exit_code=0 if outcome.status == "finished" else 1)


def _begin(run: Run, project: str) -> wandb.Run:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # W&B's reports about itself to its makers
    import wandb

    return wandb.init(
        project=project,
        id=_id(run),
        name=run.name,
        group=run.experiment,
        config=run.spec.model_dump(mode="json", serialize_as_any=True),
        dir=str(run.folder),
        mode="online" if os.environ.get("WANDB_MODE") == "online" else "offline",
        resume="allow",
        reinit="create_new",  # seeds that train side by side
        settings=wandb.Settings(  # only what the hooks are given
            silent=True,
            console="off",
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            x_disable_machine_info=True,
            x_disable_stats=True,
            x_save_requirements=False,
        ),
    )


def _id(run: Run) -> str:
    """The same for each attempt of a run."""
    return re.sub(r"[^\w-]", "-", f"{run.experiment}-{run.name}")[-128:]
