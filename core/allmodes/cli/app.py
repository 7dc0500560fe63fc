"""The commands: what a user asks for in words, in terms of the library."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter
from rich.text import Text

import allmodes
from allmodes.cli import describe, progress
from allmodes.cli.console import FAILED, KILLED, OK, Notes, err, fail, note, out, page, say, warn
from allmodes.experiments import logs
from allmodes.registry.registry import installed
from allmodes.registry.unknown_kind import unknown_kind
from allmodes.specs import loading
from allmodes.specs.limits import BELIEVED, MEMORY
from allmodes.specs.loading import SpecError
from allmodes.specs.renames import renew
from allmodes.specs.seeds import parse_seeds
from allmodes.studies import tables
from allmodes.studies.compare import Comparing, cores
from allmodes.studies.comparison import Comparison
from allmodes.studies.study import load_study
from allmodes.system.no_such_file import holds
from allmodes.system.paths import at_home, looks_like_path, near
from allmodes.system.signals import Stop
from allmodes.text.printable import printable
from allmodes_schemas import Spec

if TYPE_CHECKING:
    from allmodes.runs.results import Results

app = App(
    name="allmodes",
    help="Compose generative adversarial networks that keep every mode of the data.",
    version=allmodes.__version__,
)

Reference = Annotated[str, Parameter(help="a spec file, a recipe such as gan/ring, or a run's folder")]
Overrides = Annotated[
    list[str] | None, Parameter(name="--set", consume_multiple=False, help="override: training.iterations=2000")
]

Quiet = Annotated[bool, Parameter(name=("--quiet", "-q"), negative=(), help="neither progress bar nor log lines")]
AsJson = Annotated[bool, Parameter(name="--json", negative=(), help="a line of JSON for each event, and no table")]
Trained = Annotated[str, Parameter(help="a run's folder, an exported model, or MLflow's runs:/ID")]
Checkpoint = Annotated[str | None, Parameter(help="best, last, or an iteration; default: the model at the end")]


MANY = 10  # names in a line


@app.command
def run(
    spec: Reference,
    *,
    overrides: Overrides = None,
    seeds: Annotated[str | None, Parameter(help="such as 0-4 or 0,2,5; default: the spec's")] = None,
    folder: Annotated[Path, Parameter(name=("--out", "-o"), help="where runs are written")] = Path("runs"),
    tracking: Annotated[bool, Parameter(help="log to MLflow")] = True,
    skip_unreadable: Annotated[bool, Parameter(negative=(), help="leave out images that cannot be read")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Train a spec on its seeds, measure, log to MLflow, and print a table. Ctrl-C ends cleanly and saves."""
    registry = installed()
    checked = loading.load(spec, registry, overrides or ())
    if skip_unreadable:
        checked = loading.load(spec, registry, [*(overrides or ()), _skipping(checked)])
    chosen = checked.seeds if seeds is None else parse_seeds(seeds)

    from allmodes.experiments.experiment import Experiment

    experiment = Experiment(checked, registry, folder, tracking, _watching(quiet, as_json), warn)
    return _end(experiment.run(chosen, Stop()), tracking, as_json)


@app.command
def compare(
    methods: Annotated[list[str], Parameter(help="specs as for run, or patterns of recipes such as 'study/ring-*'")],
    *,
    overrides: Overrides = None,
    seeds: Annotated[str | None, Parameter(help="such as 0-4 or 0,2,5; default: each spec's")] = None,
    jobs: Annotated[int | None, Parameter(name=("--jobs", "-j"), help="runs side by side; default: one a core")] = None,
    folder: Annotated[Path, Parameter(name=("--folder", "--out", "-o"), help="where the study lies")] = Path(
        "runs/comparison"
    ),
    name: Annotated[str | None, Parameter(help="the study's name; default: the folder's")] = None,
    tracking: Annotated[bool, Parameter(help="log to MLflow")] = True,
    quiet: Quiet = False,
) -> int:
    """Train several specs with several seeds side by side, and tabulate them. The same command goes on."""
    if jobs is not None and jobs < 1:
        raise SpecError(f"--jobs {jobs}: at least one run is trained at a time")
    if jobs is not None and jobs > (most := 8 * cores()):
        raise SpecError(f"--jobs {jobs}: there are {cores()} cores here: take at most {most}")
    chosen = None if seeds is None else parse_seeds(seeds)
    study = load_study(methods, installed(), folder, name, overrides or (), chosen)
    tell = note if quiet else _saying()
    tell(f"study {study.name}, in {near(study.folder)}")
    comparing = Comparing(study, jobs or cores(), tracking, warn, None if quiet else progress.StudyTerminal(err, tell))
    try:
        comparison, stopped = comparing.run(), comparing.stop.asked
    except KeyboardInterrupt:  # the second Ctrl-C: what there is, is there
        comparison, stopped = Comparison(comparing.study, comparing.errors), True
    return _end_study(comparison, stopped)


@app.command
def resume(
    run: Annotated[Path, Parameter(help="a run's folder (of an experiment: all its seeds)")],
    *,
    overrides: Overrides = None,
    tracking: Annotated[bool | None, Parameter(help="log to MLflow; default: as the run was")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Go on with an interrupted run, or train a finished one longer: --set training.iterations=20000."""
    from allmodes.experiments.experiment import Experiment

    observers = _watching(quiet, as_json)
    experiment = Experiment.resume(run, overrides or (), track=tracking, observers=observers, warn=warn)
    return _end(experiment.run(stop=Stop()), experiment.track, as_json)


@app.command
def validate(spec: Reference, *, overrides: Overrides = None) -> int:
    """Check a spec without training: types, ranges, and whether its parts fit together."""
    checked = loading.load(spec, installed(), overrides or ())
    terms = ", ".join(term.kind for term in checked.losses)
    say(f"{spec} is valid: {checked.data.kind}, {checked.prior.kind}, {terms}")
    return OK


@app.command
def recipes() -> int:
    """List the ready specs of everything that is installed."""
    registry = installed()
    for name, path in registry.recipes.items():
        out.print(Text.assemble((f"{name:24}", "bold"), " ", printable(_described(name, path))), soft_wrap=True)
    return OK


@app.command
def plugins() -> int:
    """List plugins with version, origin, kinds and recipes, and why one could not be loaded."""
    registry = installed()
    out.print(progress.plugins_table(registry))
    out.print(progress.kinds_table(registry))
    return FAILED if registry.broken else OK


@app.command
def new_plugin(
    name: Annotated[str, Parameter(help="one word, such as mymethod")],
    *,
    folder: Annotated[Path, Parameter(help="where its folder is made")] = Path(),
) -> int:
    """Write a plugin to begin with, which works and passes its tests: allmodes-NAME."""
    from allmodes.cli import new_plugin

    written = new_plugin.new_plugin(name, folder, installed().plugins)
    say(f"{written} is a plugin that works: make its method yours")
    say(f"install  pip install -e '{written}[test]'")
    say(f"test     python -m pytest {written}")
    say(f"train    allmodes run {name}/ring")
    return OK


@app.command
def show(thing: Annotated[str, Parameter(help="a kind, a recipe, a spec file or a run's folder")]) -> int:
    """Show a kind with its options, what it requires and provides, or a spec with every default written out."""
    registry, block = installed(), {"kind": thing}
    for renamed in renew(block, registry):
        warn(renamed.what)
    found = [(slot, kind) for slot, kind in registry.all_kinds() if kind.name == block["kind"]]
    if not found and _means_kind(thing):
        raise SpecError(unknown_kind(registry, None, thing))
    if found:
        for slot, kind in found:
            out.print(progress.kind_table(slot, kind))
            out.print(progress.options_table(kind.config))
        return OK
    checked = loading.load(thing, registry)
    page(loading.dump(checked) + "\n".join(["# Players, in the order of their turns:", *describe.turns(checked)]))
    return OK


@app.command
def schema() -> int:
    """Print the JSON Schema of a spec in this environment, third-party kinds included."""
    print(json.dumps(loading.schema(installed()), indent=2))
    return OK


@app.command
def sample(
    run: Trained,
    *,
    number: Annotated[int, Parameter(name=("--number", "-n"), help="how many items")] = 1000,
    seed: Annotated[int, Parameter(help="of the draw")] = 0,
    mode: Annotated[int | None, Parameter(help="draw from this mode of the latent alone, counted from 0")] = None,
    to: Annotated[
        Path, Parameter(name=("--out", "-o"), help="a file .npz, .csv, .parquet or .png, or a folder for pictures")
    ] = Path("samples.npz"),
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
    from allmodes.models.trained import load_run

    to = at_home(to)
    samples.check(to)
    model = load_run(run, checkpoint=checkpoint)
    if 8 * number * prod(model.shape) > MEMORY and not large:
        raise SpecError(f"--number {number}: items of {model.shape} take more than 16 GiB: add --large if you mean it")
    samples.write(model, model.sample(number, seed, mode=mode), to)
    say(f"{number} samples of {near(model.folder)} are in {to}")
    return OK


@app.command
def export(run: Trained, to: Annotated[Path, Parameter(help="a new folder")], *, checkpoint: Checkpoint = None) -> int:
    """Write a trained model to a folder to give away: spec, weights as safetensors, a model card."""
    from allmodes.models.export import export as write
    from allmodes.models.trained import load_run

    write(load_run(run, checkpoint=checkpoint), to)
    say(f"the model of {run} is in {to}; its card is README.md")
    return OK


@app.command
def evaluate(
    run: Annotated[Path, Parameter(help="a run's folder (of an experiment: all its seeds)")],
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

    found = remeasure_all(run, changes, checkpoint, installed(), tracking, warn)
    out.print(progress.measures_table(str(run), {one.run.seed: one.results for one in found}, found[0].floors))
    return OK


@app.command
def sync(
    folders: Annotated[list[Path] | None, Parameter(help="folders of runs, or that hold runs; default: runs")] = None,
    *,
    store: Annotated[str | None, Parameter(help="another store, which gets all; default: each run's own")] = None,
) -> int:
    """Send to MLflow what could not be sent while runs trained."""
    from allmodes import tracking

    return tracking.sync(folders or [Path("runs")], store, say, fail, warn)


@app.command
def ui(
    *,
    store: Annotated[str | None, Parameter(help="tracking URI; default: MLFLOW_TRACKING_URI or ./mlflow.db")] = None,
    host: Annotated[str, Parameter(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="port to listen on")] = 5000,
) -> int:
    """Open the MLflow UI on the store that runs are logged to."""
    from allmodes import tracking

    return tracking.ui(store, host, port)


def _described(name: str, path: Path) -> str:
    """What a recipe says of itself; one that cannot be read does not hide the others."""
    try:
        return str(loading.read(loading.read_text(path), name).tree.get("description", ""))
    except SpecError as error:
        return f"cannot be read: {error}"


def _means_kind(thing: str) -> bool:
    """Recipes have a slash, files an ending."""
    return not looks_like_path(thing) and not holds(Path(thing).exists)


def _watching(quiet: bool, as_json: bool) -> dict[str, object]:
    """Who shows what a run does: a bar to somebody who watches, else log lines."""
    if as_json or not (quiet or err.is_terminal):
        return {"log": logs.begin(as_json)}
    if quiet:
        return {"beginning": progress.Beginning(note)}
    logs.send_to(Notes(), logging.INFO)
    return {"terminal": progress.Terminal(err)}


def _end(results: Results, tracked: bool, as_json: bool) -> int:
    """Say what an experiment gave; returns the exit code."""
    if not as_json:
        _report(results, tracked)
    return {"finished": OK, "killed": KILLED}.get(results.status, FAILED)


def _saying() -> Callable[[str], None]:
    """How a study says which runs have ended: on a terminal between bars, else as log lines."""
    if err.is_terminal:
        logs.send_to(Notes(), logging.INFO)
    else:
        logs.begin(as_json=False)
    return logs.LOGGER.info


def _end_study(comparison: Comparison, stopped: bool) -> int:
    """Print the tables, and what is not finished; returns the exit code."""
    for table in tables.terminal(comparison, out.width):
        out.print(table)
    for line in comparison.unfinished:
        fail(line)
    if waiting := comparison.waiting:
        more = f" and {len(waiting) - MANY} more" if len(waiting) > MANY else ""
        (say if stopped else fail)(f"not begun: {', '.join(waiting[:MANY])}{more}")
    say(f"folder   {near(comparison.folder)}")
    if comparison.status == "finished":
        return OK
    say("go on    the same command")
    return KILLED if stopped else FAILED


def _skipping(spec: Spec) -> str:
    """The override of `--skip-unreadable`."""
    if "skip_unreadable" not in type(spec.data).model_fields:
        raise SpecError(f"--skip-unreadable: data {spec.data.kind} reads no images one by one: leave it out")
    return "data.skip_unreadable=true"


def _report(results: Results, tracked: bool) -> None:
    out.print(progress.results_table(results))
    for seed, outcome in results.outcomes.items():
        if outcome.error:
            fail(f"seed {seed}: {outcome.error}")
    say(f"folder   {near(results.folder)}")
    if (picture := results.folder / "samples.png").exists():
        say(f"picture  {near(picture)}")
    if tracked:
        say("MLflow   allmodes ui")
    if results.status == "killed":
        say(f"resume   allmodes resume {near(results.folder)}")
