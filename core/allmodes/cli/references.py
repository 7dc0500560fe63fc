"""The command `references`: what a model has to beat, before any is trained."""

from __future__ import annotations

from allmodes.cli import tables
from allmodes.cli.app import Overrides, Reference
from allmodes.cli.console import FAILED, OK, out, print_error, print_warning
from allmodes.cli.runs import take_latest


def references(spec: Reference, *, overrides: Overrides = None) -> int:
    """Measure real data and reference samplers on a spec's metrics: what a model has to beat. Trains nothing."""
    from allmodes.experiments.experiment import Experiment

    experiment = Experiment.from_recipe(take_latest(spec), overrides or (), track=False, warn=print_warning)
    beside = experiment.beside()
    name, samples = experiment.spec.name, f"{experiment.spec.evaluation.samples:,} samples"
    if not any(beside.values()):
        print_error(f"{name}: none of its metrics can be measured without a model: add one, such as fid")
        return FAILED
    out.print(tables.beside_table(f"{name}: what a model has to beat, {samples}", beside, experiment.spec))
    return OK
