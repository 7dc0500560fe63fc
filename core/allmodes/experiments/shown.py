"""Experiments and their results as Python and notebooks show them: in a line, and as HTML."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from allmodes.experiments.live import go_on
from allmodes.runs import averages
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading
from allmodes.system.paths import near
from allmodes.text import html
from allmodes.text.html import Html
from allmodes.text.numbers import number, quantity
from allmodes_schemas import Spec

if TYPE_CHECKING:
    from allmodes.experiments.experiment import Experiment
    from allmodes.experiments.results import Results

NAMED = 3
"""Metrics that a line of text names."""


def results_text(results: Results) -> str:
    """Describe results in a line: `Results(ring: finished, 3 seeds; modes 8 ± 0 (real data 8); in runs/ring-...)`."""
    numbers = results.spec.evaluation.numbers()
    labelled = [name for name in results.metrics if name in numbers and numbers[name].label] or results.metrics
    measured = ", ".join(_with_floor(results, name) for name in labelled[:NAMED])
    seeds = f"{len(results.outcomes)} {'seed' if len(results.outcomes) == 1 else 'seeds'}"
    parts = (f"{results.spec.name}: {results.status}, {seeds}", measured, f"in {near(results.folder)}")
    return f"Results({'; '.join(filter(None, parts))})"


def results_html(results: Results) -> Html:
    """Tabulate metrics: mean and standard error over the seeds, real data, reference samplers, every seed."""
    seeds = [f"seed {seed}" for seed in results.outcomes]
    header = ["metric", "mean", "s.e.", "real data", *results.references, *seeds]
    parts = [
        html.heading(results.spec.name, f"{results.status}, in {near(results.folder)}"),
        html.table(header, (_metric_row(results, name) for name in results.metrics)),
        *(html.line(text) for text in _notes(results)),
        *([html.code(go_on(results.folder, results.spec))] if results.status == "killed" else []),
        html.beside(_picture(results)),
    ]
    return html.block(*parts)


def experiment_text(experiment: Experiment) -> str:
    """Describe an experiment in a line."""
    return f"Experiment({experiment.spec.name}: {_describe(experiment.spec)}; folders in {near(experiment.folder)})"


def experiment_html(experiment: Experiment) -> Html:
    """Show what plays together, how long, and the whole spec folded."""
    spec = experiment.spec
    pairs = dict(_facts(spec)) | {"folders in": str(near(experiment.folder))}
    pairs["MLflow"] = "tracked" if experiment.track else "not tracked"
    spelled = html.folded("spec", loading.dump(spec))
    return html.block(html.heading(spec.name, spec.description or ""), html.facts(pairs), spelled)


def _describe(spec: Spec) -> str:
    losses = " + ".join(term.kind for term in spec.losses)
    seeds = "seed" if len(spec.seeds) == 1 else "seeds"
    return f"{spec.data.kind}, {losses}; {spec.training.iterations:,} iterations, {len(spec.seeds)} {seeds}"


def _facts(spec: Spec) -> Iterator[tuple[str, str]]:
    judge = "none" if spec.discriminator is None else spec.discriminator.kind
    training, evaluation = spec.training, spec.evaluation
    yield "data", spec.data.kind
    yield "prior", spec.prior.kind
    yield "networks", f"generator {spec.generator.kind}, discriminator {judge}"
    yield "auxiliaries", ", ".join(f"{name} {one.kind}" for name, one in spec.auxiliaries.items())
    yield "losses", ", ".join(term.kind for term in spec.losses)
    yield "sampler", spec.sampler.kind if spec.sampler else ""
    yield "training", f"{training.iterations:,} iterations of {training.batch_size} items, on {training.device}"
    yield "metrics", f"{', '.join(one.title() for one in evaluation.metrics)}; every {evaluation.every:,} iterations"
    yield "seeds", ", ".join(map(str, spec.seeds))


def _with_floor(results: Results, name: str) -> str:
    unit = results.spec.evaluation.numbers()[name].unit if name in results.spec.evaluation.numbers() else ""
    values = results.values(name)
    mean = quantity(averages.mean(values), unit, averages.standard_error(values))
    floor = results.floors.get(name, math.nan)
    return f"{name} {mean}" + ("" if math.isnan(floor) else f" (real data {quantity(floor, unit)})")


def _metric_row(results: Results, name: str) -> list[str]:
    values, of = results.values(name), len(results.outcomes)
    mean = number(averages.mean(values)) + averages.over(values, of)
    beside = (results.floors, *results.references.values())
    each = (outcome.results.get(name) for outcome in results.outcomes.values())
    return [
        name,
        mean,
        number(averages.standard_error(values)),
        *(number(one.get(name)) for one in beside),
        *map(number, each),
    ]


def _notes(results: Results) -> Iterator[str]:
    """What a reader has to know beside the numbers: errors, seeds that were interrupted, and the dash."""
    for seed, outcome in results.outcomes.items():
        if outcome.status != "finished":
            error = f": {outcome.error}" if outcome.error else ""
            yield f"seed {seed}: {outcome.status} at iteration {outcome.iteration:,}{error}"
        elif outcome.stopped:
            yield f"seed {seed}: stopped at iteration {outcome.iteration:,}: {outcome.stopped}"
    if any(math.isnan(value) for outcome in results.outcomes.values() for value in outcome.results.values()):
        yield "-: withheld, too little to measure"
    if results.status == "killed":
        yield "Interrupted, and saved. Go on with"


def _picture(results: Results) -> Html:
    file = RunFolder(results.folder).picture
    try:
        return html.picture(file.read_bytes(), "samples", 420)
    except OSError:
        return Html("")
