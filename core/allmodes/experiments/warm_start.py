"""The warm start of a run: taken once, before its first iteration, told in the log and noted on its page."""

from __future__ import annotations

from pathlib import Path

from allmodes.engine.loop import Lane
from allmodes.experiments.logs import log_taken
from allmodes.experiments.run_page import note
from allmodes.experiments.settings import Warn
from allmodes.models.warm_start import find_source, take_weights
from allmodes.runs.run import Run


def warm_start(run: Run, lane: Lane, here: Path, warn: Warn) -> None:
    """Take the weights of the run that a spec names. Raises ModelError where there are none that fit."""
    source = find_source(str(run.spec.training.source), run.seed, here)
    averages = lane.average.modules if lane.average else {}
    taken = take_weights(lane.composition.modules, source, averages)
    log_taken(run, taken.describe(), taken.is_whole, warn)
    rest = {"new": taken.new, "left": taken.left, "reshaped": taken.reshaped}
    begun = {"folder": str(taken.folder), "iteration": taken.iteration, "taken": len(taken.taken), **rest}
    note(run, warn, began_with=begun)
