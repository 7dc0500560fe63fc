"""Training runs of several experiments together, for those who do not train seed after seed."""

from __future__ import annotations

from collections.abc import Sequence

from allmodes.experiments.experiment import Experiment
from allmodes.experiments.trainer import train_runs
from allmodes.runs.run import Outcome, Run
from allmodes.system.signals import Stop
from allmodes.system.torch_settings import plain_torch


@plain_torch()
def train_together(units: Sequence[tuple[Experiment, Run]], stop: Stop) -> list[Outcome]:
    """Train runs, each in its folder, or go on with them, and return how they ended, in their order.

    Runs of equal shapes are updated together where their engine does so. An error ends its run alone. After a stop,
    those that did not begin are `killed` at iteration 0. All are observed by the observers of the first experiment.
    """
    pairs = [(experiment.trainer(stop), run) for experiment, run in units]
    with units[0][0].observed():
        outcomes = list(train_runs(pairs, stop, is_forgiving=True))
    return [outcome for _, outcome in outcomes] + [Outcome("killed", 0, 0.0)] * (len(units) - len(outcomes))
