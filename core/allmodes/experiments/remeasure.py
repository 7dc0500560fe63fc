"""Measuring a run again after it has ended: any metric, any number of samples, the same held-out data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from allmodes.experiments import resume
from allmodes.experiments.experiment import Experiment
from allmodes.experiments.report import Report
from allmodes.experiments.settings import Setup, Warn
from allmodes.game.compose import compose
from allmodes.game.composition import Composition
from allmodes.metrics import measure
from allmodes.models import checkpoints
from allmodes.models import format as model_format
from allmodes.models.page import Page, read_page
from allmodes.models.reading import advise_on_damage
from allmodes.registry.registry import Registry
from allmodes.runs.run import Run
from allmodes.runs.run_folder import RunFolder
from allmodes.specs.source import SpecError
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import near, place
from allmodes.system.torch_settings import plain_torch
from allmodes_schemas import Spec


@dataclass(frozen=True)
class Remeasured:
    """A run, the iteration of its model, and its numbers beside those of real data and of reference samplers."""

    run: Run
    iteration: int
    results: Mapping[str, float]
    floors: Mapping[str, float]
    references: Mapping[str, Mapping[str, float]]


@plain_torch()
def remeasure_all(
    run: Path, overrides: Sequence[str], checkpoint: str | None, registry: Registry, track: bool, warn: Warn
) -> list[Remeasured]:
    """Measure a run, or every seed of an experiment, with the metrics of its spec and overrides.

    Raises:
        SpecError: There is no run, or an override would make it another one.
        ModelError: There is no model.
        DataError: The data are not those of the run.
    """
    run = place(run)
    if not holds(run.exists):
        raise SpecError(no_such_file(near(run)))
    if not (folders := RunFolder(run).runs):
        raise SpecError(f"{near(run)}: no run to measure there: give the folder that `allmodes run` printed")
    spec = resume.load_changed(run, registry, overrides)
    experiment = Experiment(spec, registry, track=track, warn=warn, setup=Setup(resumed=run))
    experiment.prepare()
    with experiment.observed():
        return [remeasure(experiment, folder.path, checkpoint) for folder in folders]


@plain_torch()
def remeasure(experiment: Experiment, folder: Path, checkpoint: str | None = None) -> Remeasured:
    """Measure the model in a run's folder with the metrics of the experiment's spec, and log the numbers there.

    Raises ModelError where there is no model, DataError where the data are not those of the run.
    """
    files = RunFolder(folder)
    began = files.facts(experiment.warn)
    run = experiment.run_of(files.seed if began is None else began.seed, folder.parent)
    if began is not None:
        resume.check_same_data(run, began, experiment.warn)
    stored = files.model if checkpoint is None else checkpoints.find_checkpoint(files, checkpoint)
    with advise_on_damage(folder, stored):
        prior = model_format.load_prior(run.spec, stored)
        composition = compose(run.spec, experiment.data.to("cpu"), run.seed, prior=prior)
        modules = _restore(composition, run.spec, stored)
        page = read_page(stored)
        iteration = page["iteration"] or run.spec.training.iterations
    for module in modules.values():
        module.to(run.device).eval()
    n, metrics = run.spec.evaluation.samples, experiment.resources.metrics
    evaluation = measure.make_evaluation(composition, modules, experiment.data, n, run.seed, iteration, run.device)
    results = measure.measure(metrics, evaluation, experiment.warn)
    report = Report(run, experiment.registry, experiment.warn, tracked=experiment.track)
    report.numbers(iteration, {f"eval/{key}{_sampled_by(run.spec, page)}": value for key, value in results.items()})
    for name, path in measure.save_figures(metrics, evaluation, files.figures, iteration, experiment.warn):
        report.figure(iteration, path, name)
    return Remeasured(run, iteration, results, experiment.resources.floors, experiment.resources.references)


def _sampled_by(spec: Spec, page: Page) -> str:
    """The ending of numbers' names where samples are not drawn as those of the stored model are."""
    kind = spec.sampler and spec.sampler.kind
    if kind == page.get(model_format.SAMPLER):
        return ""
    return f"_{kind.replace('.', '_')}" if kind else "_without_sampler"


def _restore(composition: Composition, spec: Spec, stored: Path) -> dict[str, nn.Module]:
    """Restore the modules of a composition, with moving averages instead of what they average."""
    for name, module in composition.modules.items():
        if model_format.is_restored(module, stored, name):
            model_format.restore_sampled(module, spec, stored, name)
    return dict(composition.modules)
