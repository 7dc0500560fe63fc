"""TensorBoard for allmodes: numbers, pictures, spec and end of each run, where `ALLMODES_TENSORBOARD=1` asks for them.

A run's events lie in `tensorboard/` in its folder. One that is resumed goes on there: what an earlier attempt wrote
beyond the checkpoint is hidden, as the run writes it again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes import Outcome, Run, hookimpl

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

SWITCH = "ALLMODES_TENSORBOARD"
_writers: dict[Path, SummaryWriter | None] = {}
"""By folder; None for a run whose events cannot be written."""


@hookimpl
def allmodes_run_started(run: Run) -> None:
    """Open the events of a run, and write its spec."""
    if not _is_on():
        return
    _writers.pop(run.folder, None)
    if writer := _writer(run, run.iteration + 1):
        writer.add_text("spec", f"```yaml\n{(run.folder / 'spec.yaml').read_text('utf-8')}\n```", run.iteration)


@hookimpl
def allmodes_metrics_logged(run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
    """Write numbers; they are on disk at each evaluation."""
    if writer := _writer(run):
        for name, value in metrics.items():
            writer.add_scalar(name, value, iteration)
        if any(name.startswith("eval/") for name in metrics):
            writer.flush()


@hookimpl
def allmodes_samples_drawn(run: Run, iteration: int, figure: Path, name: str) -> None:
    """Write a picture."""
    import numpy as np
    from PIL import Image

    if writer := _writer(run):
        with Image.open(figure) as picture:
            writer.add_image(name, np.asarray(picture.convert("RGB")), iteration, dataformats="HWC")


@hookimpl
def allmodes_run_finished(run: Run, outcome: Outcome) -> None:
    """Write how a run ended, and close its events."""
    if writer := _writer(run):
        writer.add_text("end", ": ".join(filter(None, (outcome.status, outcome.error))), outcome.iteration)
        writer.close()
        _writers.pop(run.folder, None)


def _is_on() -> bool:
    return os.environ.get(SWITCH, "0") not in ("", "0")


def _writer(run: Run, purge: int | None = None) -> SummaryWriter | None:
    """The writer of a run; events from the step `purge` on that were written before are hidden."""
    if not _is_on():
        return None
    if run.folder not in _writers:
        _writers[run.folder] = None  # one that cannot be opened is not tried again at each number
        from torch.utils.tensorboard import SummaryWriter

        _writers[run.folder] = SummaryWriter(str(run.folder / "tensorboard"), purge_step=purge)
    return _writers[run.folder]
