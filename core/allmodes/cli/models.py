"""Commands on trained models: `sample`, `export` and `evaluate`."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from allmodes.cli import tables
from allmodes.cli.app import Begun, Checkpoint, Overrides, Trained
from allmodes.cli.console import OK, out, print_line, print_warning
from allmodes.cli.python_objects import check_measurable, load_model
from allmodes.cli.runs import take_latest
from allmodes.registry.registry import installed
from allmodes.specs.limits import BELIEVED, MEMORY
from allmodes.specs.loading import SpecError
from allmodes.system.paths import at_home, near


def sample(
    run: Trained,
    *,
    number: Annotated[int, Parameter(name=("--number", "-n"), help="how many items")] = 1000,
    seed: Annotated[int, Parameter(help="of the draw")] = 0,
    mode: Annotated[int | None, Parameter(help="draw from this mode of the latent alone, counted from 0")] = None,
    to: Annotated[
        Path | None,
        Parameter(
            name=("--out", "-o"),
            help="a new file .npz, .csv, .parquet or .png, or a folder for pictures; default: a new samples.npz",
        ),
    ] = None,
    checkpoint: Checkpoint = None,
    large: Annotated[bool, Parameter(negative=(), help="more than a million items, or than 16 GiB, are meant")] = False,
) -> int:
    """Draw from a trained model into a file or a folder."""
    if number < 1:
        raise SpecError(f"--number {number}: draw at least one item")
    if number > BELIEVED.most and not large:
        slip = f"more than {BELIEVED.most:,}, and most likely a slip"
        raise SpecError(f"--number {number}: {slip}: add --large if you mean it")

    from allmodes.cli import samples

    run = take_latest(run)
    to = samples.free_file(Path("samples.npz")) if to is None else at_home(to)
    samples.check(to)
    of_mode = "" if mode is None else f", mode={mode}"
    model = load_model(run, checkpoint, f".sample({number}, {seed}{of_mode})")
    if 8 * number * prod(model.shape) > MEMORY and not large:
        raise SpecError(f"--number {number}: items of {model.shape} take more than 16 GiB: add --large if you mean it")
    samples.write(model, model.sample(number, seed, mode=mode), to)
    print_line(f"{number} samples of {near(model.folder)} are in {to}")
    return OK


def export(run: Trained, to: Annotated[Path, Parameter(help="a new folder")], *, checkpoint: Checkpoint = None) -> int:
    """Write a trained model to a folder to give away: spec, weights as safetensors, a model card."""
    run = take_latest(run)
    load_model(run, checkpoint, f".save({str(to)!r})").export(to)
    print_line(f"the model of {run} is in {to}; its card is README.md")
    return OK


def evaluate(
    run: Begun,
    *,
    metrics: Annotated[
        list[str] | None, Parameter(name="--metric", consume_multiple=False, help="such as modes or {kind: fid}")
    ] = None,
    samples: Annotated[int | None, Parameter(help="samples to draw; default: the spec's")] = None,
    overrides: Overrides = None,
    checkpoint: Checkpoint = None,
    tracking: Annotated[bool, Parameter(help="log to MLflow, where the run was")] = True,
) -> int:
    """Measure a trained run again, with any metric, and log the numbers where the run was logged."""
    changes = [*(overrides or ()), *([f"evaluation.metrics=[{', '.join(metrics)}]"] if metrics else ())]
    changes += [] if samples is None else [f"evaluation.samples={samples}"]

    from allmodes.experiments.remeasure import remeasure_all

    run = take_latest(run)
    check_measurable(run, changes)
    found = remeasure_all(Path(run), changes, checkpoint, installed(), tracking, print_warning)
    numbers = {one.run.seed: one.results for one in found}
    out.print(tables.measures_table(run, numbers, found[0].floors, found[0].run.spec))
    if references := found[0].references:
        names = dict.fromkeys(name for results in numbers.values() for name in results)
        out.print(tables.references_table(names, list(numbers.values()), found[0].floors, references))
    return OK
