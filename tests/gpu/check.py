"""What a GPU makes of this code: tests, recipes of all kinds, and parity, resume and price of each engine, in a table.

Each part runs in a process of its own for a limited time, so that one that fails, hangs or spoils its device is a row
of the table. The exit code is 1 if a row has failed. See `docs/gpu.md`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from allmodes import Experiment, installed
from allmodes.engine.choice import Choice
from allmodes.engine.graphed import SideStream
from allmodes.experiments.lockstep import Lockstep
from allmodes.experiments.seed_run import SeedRun
from allmodes.specs import loading
from allmodes.system.signals import Stop
from allmodes.system.torch_settings import plain_torch, settings

LIMIT = 690
"""Seconds for all parts: with what ends a part, less than 12 minutes."""
ENGINES = ("eager", "stacked", "graphed", "compiled")
FAR = 10**9
NEVER = {"log_every": FAR, "checkpoints": {"every": FAR, "minutes": FAR}, "iterations": FAR}
STUDY: Mapping[str, Any] = {
    "name": "check",
    "data": {"kind": "ring"},
    "prior": {"kind": "gaussian", "dim": 16},
    "generator": {"kind": "mlp", "hidden": [64, 64]},
    "discriminator": {"kind": "mlp", "hidden": [64, 64], "activation": "leaky_relu"},
    "evaluation": {"every": FAR, "samples": 64, "metrics": [], "figure": False},
}
RAMP = {"start": 1e-3, "end": 1e-4, "over": FAR}
GAMES: Mapping[str, Any] = {
    "R1": [{"kind": "non_saturating"}, {"kind": "r1"}],
    "gradient penalty": [{"kind": "wasserstein"}, {"kind": "gradient_penalty"}],
}
CLOSE, ROUGH = 1e-2, 0.5
"""How far parameters may be apart, beside the way that they have come: in float32 and in bfloat16."""


class Row(NamedTuple):
    """A line of the table; its state is `ok`, `FAILED` or `not measured`."""

    what: str
    result: str
    state: str


class Options(NamedTuple):
    """What is checked: the device, and whether only that this script runs."""

    device: str
    quick: bool
    root: str = "data"
    only: str = ""

    @property
    def is_cuda(self) -> bool:
        return self.device.startswith("cuda")


class Part(NamedTuple):
    """Rows, for how many seconds they may be made, and whether nothing else may run beside them: they are timed."""

    name: str
    seconds: float
    rows: Callable[[Options], Iterator[Row]]
    alone: bool = False


# Training


def spec_of(options: Options, game: str = "R1", precision: str = "float32") -> dict[str, Any]:
    optimizer = {"kind": "adam", "lr": RAMP, "betas": [0.5, 0.999]}
    training = {**NEVER, "batch_size": 128, "device": options.device, "precision": precision, "optimizer": optimizer}
    return {**STUDY, "losses": GAMES[game], "training": training}


class Training:
    """Seeds that an engine trains; `reasons` are those for which a slower one went on."""

    def __init__(self, spec: Mapping[str, Any], seeds: int, engine: str, folder: Path, resumed: bool = False) -> None:
        self.reasons: list[str] = []
        experiment = Experiment.from_spec(spec, folder=folder, track=False)
        self.runs = [self._run(experiment, seed, folder, resumed) for seed in range(seeds)]
        self.start = self.parameters()
        self.lockstep = Lockstep(self.runs, Choice(engine, "it is checked"), Stop())

    def _run(self, experiment: Experiment, seed: int, folder: Path, resumed: bool) -> SeedRun:
        run = experiment.run_of(seed, folder / f"seed-{seed}")
        run.folder.mkdir(parents=True, exist_ok=True)
        (run.folder / "spec.yaml").write_text(loading.dump(run.spec))
        seed_run = SeedRun(run, experiment.data, {}, experiment.registry, self.reasons.append)
        if resumed:
            seed_run.restore()
        seed_run.begin()
        return seed_run

    @property
    def iteration(self) -> int:
        return self.runs[0].lane.iteration

    def advance(self, iterations: int) -> Training:
        self.lockstep.advance(self.iteration + iterations)
        return self

    def save(self) -> None:
        for run in self.runs:
            run.checkpoint()

    def parameters(self) -> list[Tensor]:
        modules = [module for run in self.runs for module in run.lane.composition.modules.values()]
        return [parameter.detach().cpu().clone() for module in modules for parameter in module.parameters()]


@contextmanager
def folder_of(deterministic: bool = False) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder, plain_torch(), settings(1, deterministic):
        yield Path(folder)


def distance(found: Sequence[Tensor], expected: Sequence[Tensor], start: Sequence[Tensor]) -> float:
    """How far tensors are from those expected, beside how far those have come from their start."""
    f, e, s = (torch.cat([tensor.flatten() for tensor in tensors]) for tensors in (found, expected, start))
    return float((f - e).norm() / (e - s).norm())


def close(what: str, training: Training, expected: Training, tolerance: float) -> Row:
    """Whether parameters are near those expected, by the engine that was asked for."""
    if training.reasons:
        return Row(what, "; ".join(training.reasons), "FAILED")
    far = distance(training.parameters(), expected.parameters(), expected.start)
    return Row(what, f"{far:.1e} of the way apart", "ok" if far <= tolerance else "FAILED")  # NaN fails


def same(what: str, training: Training, expected: Training) -> Row:
    """Whether parameters are those expected, bit for bit."""
    found, wanted = training.parameters(), expected.parameters()
    is_same = all(map(torch.equal, found, wanted)) and not all(map(torch.equal, wanted, expected.start))
    result = "bit-equal" if is_same else f"{distance(found, wanted, expected.start):.1e} of the way apart"
    return Row(what, "; ".join([result, *training.reasons]), "ok" if is_same and not training.reasons else "FAILED")


# Parts


def tests(options: Options) -> Iterator[Row]:
    if options.quick:
        yield Row("tests/test_cuda.py", "--quick", "not measured")
        return
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_cuda.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = (done.stdout.strip().splitlines() or ["nothing was printed"])[-1]
    passed = "ok" if "passed" in last else "not measured"
    yield Row("tests/test_cuda.py", last, "FAILED" if done.returncode else passed)


def noise(options: Options) -> Iterator[Row]:
    """Whether noise that is drawn into a part of a tensor is that of the eager engine."""
    for draw in ("normal", "uniform"):
        one, other = (torch.Generator(options.device).manual_seed(3) for _ in range(2))
        is_same = True
        for shape in ((1,), (128, 16), (7, 3), (500, 254)):
            function = torch.randn if draw == "normal" else torch.rand
            view = torch.zeros(3, *shape, device=options.device)[1]
            view = view.normal_(generator=other) if draw == "normal" else view.uniform_(generator=other)
            is_same &= torch.equal(function(shape, generator=one, device=options.device), view)
        yield Row(f"{draw} noise of a lane", "bit-equal" if is_same else "other numbers", "ok" if is_same else "FAILED")


def engine(name: str, options: Options) -> Iterator[Row]:
    """Parity with the eager engine, determinism and resume of an engine."""
    seeds, half = (2, 2) if options.quick else (3, 5)
    for game in GAMES if name != "eager" else ():  # which the others are measured against
        with folder_of() as folder:
            eager = Training(spec_of(options, game), seeds, "eager", folder / "eager").advance(2 * half)
            training = Training(spec_of(options, game), seeds, name, folder / name).advance(2 * half)
            yield close(f"{name} against eager, {game}", training, eager, CLOSE)
    with folder_of(deterministic=True) as folder:
        spec = spec_of(options)
        straight, again = (Training(spec, seeds, name, folder / f"{i}").advance(2 * half) for i in range(2))
        yield same(f"{name}, twice", again, straight)
        Training(spec, seeds, name, folder / "resumed").advance(half).save()
        resumed = Training(spec, seeds, name, folder / "resumed", resumed=True)
        if resumed.iteration != half:
            yield Row(f"{name}, resumed", f"from iteration {resumed.iteration} instead of {half}", "FAILED")
        else:
            yield same(f"{name}, resumed", resumed.advance(half), straight)


def failing_capture(options: Options) -> Iterator[Row]:
    """Whether a run goes on stacked where a capture fails on the device."""
    capture = SideStream.capture

    def spoiled(self: SideStream, call: Callable[[], Tensor]) -> Any:
        def wait() -> Tensor:
            torch.cuda.synchronize()
            return call()

        return capture(self, wait)

    SideStream.capture = spoiled  # type: ignore[method-assign]
    with folder_of() as folder:
        stacked = Training(spec_of(options), 2, "stacked", folder / "stacked").advance(6)
        training = Training(spec_of(options), 2, "graphed", folder / "graphed").advance(6)
        is_right = (
            distance(training.parameters(), stacked.parameters(), stacked.start) <= CLOSE and len(training.reasons) == 1
        )
        on_default = torch.cuda.current_stream() == torch.cuda.default_stream()
        state = "ok" if is_right and on_default else "FAILED"
        yield Row("a capture that fails", "; ".join(training.reasons) or "no warning", state)


def price(name: str, options: Options) -> Iterator[Row]:
    """The price of seeds of small perceptrons, in seeds of the eager engine."""
    for seeds in (3,) if options.quick else (1, 10, 64):
        yield price_of(spec_of(options), seeds, name, options)


def price_of_convolutions(options: Options) -> Iterator[Row]:
    """The price of seeds of DCGAN's networks on 32 px, whose penalties need second derivatives."""
    if not Path(options.root, "MNIST").is_dir():
        yield Row("price of convolutions", f"no folder MNIST in {options.root}", "not measured")
        return
    recipe, changes = loading.load("baselines/vaegan-stacked-mnist-large", installed()).model_dump(), dict(NEVER)
    del changes["iterations"]
    data, training = (
        {**recipe["data"], "root": options.root},
        {**recipe["training"], **changes, "schedule": "alternating"},
    )
    losses = [{**term, "start": 0} for term in recipe["losses"]]
    spec = {**recipe, "data": data, "losses": losses, "evaluation": STUDY["evaluation"]}
    spec["training"] = {**training, "device": options.device, "discriminator_updates": 1}
    for seeds, name in ((1, "stacked"), (1, "graphed"), (3, "graphed")):
        row = price_of(spec, seeds, name, options)
        yield row._replace(what=f"convolutions: {row.what}")


def price_of(spec: Mapping[str, Any], seeds: int, name: str, options: Options) -> Row:
    """The price of seeds, by medians of chunks that alternate with those of one eager seed."""
    with folder_of() as folder:
        one = Training(spec, 1, "eager", folder / "one").advance(3)
        many = Training(spec, seeds, name, folder / "many").advance(3)
        times = measure(one, many, 0 if options.quick else 3)
        ours, eager = (statistics.median(column) for column in zip(*times, strict=True))
        result = f"{ours / eager:.2f} eager seeds ({1e3 * ours:.2f} ms; one: {1e3 * eager:.2f} ms)"
        reasons = "; ".join(many.reasons)
        return Row(f"price of {seeds} under {name}", reasons or result, "FAILED" if reasons else "ok")


def measure(one: Training, many: Training, seconds: float) -> list[tuple[float, float]]:
    """Seconds an iteration of many and of one, chunk by chunk."""
    end, times = time.monotonic() + seconds, list[tuple[float, float]]()
    while time.monotonic() < end or len(times) < 3:
        times.append((time_of(many), time_of(one)))
    return times


def time_of(training: Training, iterations: int = 10) -> float:
    began = time.perf_counter()
    training.advance(iterations)
    if training.runs[0].run.device.startswith("cuda"):
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / iterations


def bfloat16(options: Options) -> Iterator[Row]:
    for name in ENGINES:
        if name not in engines_on(options):
            continue
        with folder_of() as folder:
            precision = "float32" if name == "eager" else "bfloat16"
            other = Training(spec_of(options, precision=precision), 2, "eager", folder / "eager").advance(6)
            training = Training(spec_of(options, precision="bfloat16"), 2, name, folder / name).advance(6)
            what = f"bfloat16, {name} against {'float32' if name == 'eager' else 'eager'}"
            yield close(what, training, other, ROUGH)


def faiss(options: Options) -> Iterator[Row]:
    from allmodes_bourgan import distances  # which not everybody has installed

    found = [d for d in metadata.distributions() if (d.metadata["Name"] or "").lower().startswith("faiss")]
    names = ", ".join(f"{d.metadata['Name']} {d.version}" for d in found)
    x, y = (torch.randn(n, 16, generator=torch.Generator().manual_seed(n)) for n in (2000, 3000))
    far = float((distances.faiss_distance("l2")(x, y) - torch.cdist(x.double(), y.double())).abs().max())
    may = options.is_cuda and "faiss-gpu" in names  # the CPU's build of faiss knows no GPU
    is_right = far < 1e-4 and (distances.device() == "GPU" or not may)
    state = "FAILED" if not is_right else "ok" if may else "not measured"
    yield Row(f"distances by faiss ({names})", f"on the {distances.device()}, {far:.1e} apart", state)


SHORT = ("training.iterations=3", "training.log_every=1", "evaluation.every=3", "evaluation.samples=20")
QUICK_RECIPES = ("gan/ring",)
FOLDERS = {"CIFAR10": "cifar-10-batches-py"}


class Trained(NamedTuple):
    """How a recipe ended: the engine of its last update, and what failed or slowed it down."""

    recipe: str
    engine: str
    problem: str


def recipes(name: str, options: Options) -> Iterator[Row]:
    """Whether recipes of every kind train, two seeds at once where the engine takes several.

    They are measured, too, but for references and metrics that read a classifier, which take a minute each.
    """
    names, absent = recipes_at_hand(options)
    with ProcessPoolExecutor(workers(), multiprocessing.get_context("spawn")) as pool:
        trained = list(pool.map(partial(train_recipe, engine=name, options=options), names))
    failed = [one for one in trained if not one.engine]
    engines = Counter(one.engine for one in trained if one.engine)
    result = ", ".join(f"{count} of {len(names)} ended {engine}" for engine, count in engines.most_common())
    without = f"; no data for {len(absent)}" if absent else ""
    yield Row(f"recipes, {name}", result + without, "FAILED" if failed else "ok")
    yield from (Row(f"{one.recipe}, {name}", one.problem, "FAILED") for one in failed)
    yield from (Row(f"{one.recipe}, {name}", one.problem, "slower") for one in trained if one.engine and one.problem)


def workers() -> int:
    """How many recipes train at once: each of two parts takes a good third of the processor."""
    return max(1, min(8, (os.cpu_count() or 1) * 3 // 8))


def recipes_at_hand(options: Options) -> tuple[list[str], list[str]]:
    """Recipes that have their data, and those that have not."""
    registry, names = installed(), {True: list[str](), False: list[str]()}
    for recipe in QUICK_RECIPES if options.quick else one_of_each(sorted(registry.recipes)):
        names[all(map(os.path.isdir, folders_of(recipe, options.root)))].append(recipe)
    return names[True], names[False]


def one_of_each(recipes: Sequence[str]) -> list[str]:
    """Recipes that differ in a kind of part or term, or in their schedule: that on a ring, if there is one."""
    found: dict[tuple[str, ...], str] = {}
    for recipe in sorted(recipes, key=lambda recipe: ("ring" not in recipe, recipe)):
        found.setdefault(kinds_of(recipe), recipe)
    return sorted(found.values())


def kinds_of(recipe: str) -> tuple[str, ...]:
    spec = loading.load(recipe, installed())
    parts = [spec.prior, spec.generator, spec.discriminator, *spec.auxiliaries.values(), *spec.losses]
    kinds = [part.kind for part in parts if part is not None]
    is_image = hasattr(spec.data, "root")
    return (*kinds, str(spec.training.schedule), str(spec.training.ema is None), str(is_image))


def folders_of(recipe: str, root: str) -> Iterator[str]:
    """Where a recipe's data are, if they are files."""
    data = loading.load(recipe, installed()).data.model_dump()
    if "root" in data:
        sets = {"stacked_mnist": ["MNIST"], "bourgan.fashion_and_ones": ["FashionMNIST", "MNIST"]}
        needed = sets.get(data["kind"]) or [data["dataset"]]
        yield from (f"{root}/{FOLDERS.get(name, name)}" for name in needed)


def train_recipe(recipe: str, engine: str, options: Options) -> Trained:
    spec = loading.load(recipe, installed())
    changes = [*SHORT, f"training.device={options.device}", f"training.engine={engine}"]
    changes += [f"data.root={options.root}"] if "root" in spec.data.model_dump() else []
    classifies = "classifier" in str(spec.evaluation) or "stacked" in spec.data.kind
    changes += ["evaluation.references=[]", *(["evaluation.metrics=[]"] if classifies else [])]  # which take a minute
    changes += [f"losses.{i}.start=0" for i, term in enumerate(spec.losses) if term.start]
    turns = () if isinstance(spec.training.schedule, str) else spec.training.schedule
    changes += [f"training.schedule.{i}.start=0" for i, turn in enumerate(turns) if turn.start]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            experiment = Experiment.from_recipe(recipe, changes, folder=folder, track=False)
            outcomes = experiment.run([0] if engine == "eager" else [0, 1]).outcomes.values()
        except BaseException as error:
            return Trained(recipe, "", f"{type(error).__name__}: {error}")
    slower = [str(w.message).split(": ", 1)[-1] for w in warned if " engine cannot train " in str(w.message)]
    errors = [str(outcome.error) for outcome in outcomes if outcome.status != "finished"]
    return Trained(recipe, "" if errors else next(iter(outcomes)).engine, "; ".join(errors or slower))


def not_here(why: str, name: str, options: Options) -> Iterator[Row]:
    yield Row(name, why, "not measured")


def engines_on(options: Options) -> list[str]:
    left_out = {"graphed": not options.is_cuda, "compiled": options.quick}
    return [name for name in ENGINES if not left_out.get(name, False)]


def parts_for(options: Options) -> list[Part]:
    names = engines_on(options)
    slow = {"compiled": 150}
    parts = [Part("CUDA tests", 120, tests), Part("noise", 30, noise)]
    parts += [Part(f"engine {name}", slow.get(name, 60), partial(engine, name)) for name in names]
    parts += [Part("failing capture", 40, failing_capture)] if options.is_cuda else []
    parts += [Part(f"recipes {name}", 200, partial(recipes, name)) for name in names if name in ("eager", "graphed")]
    parts += [Part("bfloat16", 90, bfloat16), Part("faiss", 40, faiss)]
    parts += [Part(f"price under {name}", slow.get(name, 60), partial(price, name), True) for name in names[1:]]
    parts += [Part("price of convolutions", 60, price_of_convolutions, True)] if options.is_cuda else []
    parts.sort(key=lambda part: (part.alone, "price under compiled" in part.name))  # the slowest last
    left_out = {"graphed": "needs CUDA", "compiled": "--quick"}
    parts += [Part(n, 10, partial(not_here, left_out[n], n)) for n in ENGINES if n not in names]
    return parts


# The table


class Running:
    """A part in a process of its own, whatever happens there."""

    def __init__(self, part: Part, options: Options, seconds: float) -> None:
        context = multiprocessing.get_context("fork")  # nothing has been asked of CUDA here
        self.part, self.seconds, self.end = part, seconds, time.monotonic() + seconds
        self.receiving, sending = context.Pipe(duplex=False)
        self.process = context.Process(target=send_rows, args=(part, options, sending), daemon=False)
        self.process.start()
        sending.close()

    def rows(self) -> Iterator[Row]:
        """Its rows, and one more if it fails, hangs or dies."""
        try:
            while self.receiving.poll(max(0, self.end - time.monotonic())):
                yield self.receiving.recv()
            problem = f"stopped after {self.seconds:g} s"
        except EOFError:
            self.process.join(10)
            problem = "" if self.process.exitcode == 0 else f"the process ended with {self.process.exitcode}"
        self.process.kill()
        self.process.join()
        yield from [Row(self.part.name, problem, "FAILED")] if problem else []


def run(parts: Sequence[Part], options: Options, end: float) -> Iterator[Row]:
    """The rows of parts that run beside each other."""
    running = list[Running | Row]()
    for part in parts:
        print(part.name, file=sys.stderr, flush=True)
        left = min(part.seconds, end - time.monotonic())
        late = Row(part.name, "no time was left", "FAILED")
        running.append(Running(part, options, left) if left >= 5 else late)
    for one in running:
        yield from [one] if isinstance(one, Row) else one.rows()


def groups(parts: Sequence[Part]) -> list[Sequence[Part]]:
    """Parts that run beside each other, where the processor has the cores for that; those that are timed do not."""
    together = [] if (os.cpu_count() or 1) < 8 else [part for part in parts if not part.alone]
    return [*([together] if together else []), *([part] for part in parts if part not in together)]


def send_rows(part: Part, options: Options, sending: Any) -> None:
    try:
        for row in part.rows(options):
            sending.send(row)
    except Exception as error:
        traceback.print_exc()
        sending.send(Row(part.name, f"{type(error).__name__}: {error}", "FAILED"))
    sending.close()


def machine(options: Options) -> Iterator[Row]:
    there = options.is_cuda and torch.cuda.is_available()
    name = torch.cuda.get_device_name(options.device) if there else options.device
    versions = f"torch {torch.__version__}, CUDA {torch.version.cuda}, Python {sys.version.split()[0]}"
    yield Row(f"on {name}", versions, "ok" if there or not options.is_cuda else "FAILED")


def line(cells: Sequence[str]) -> str:
    """A line of a table in Markdown."""
    return f"| {' | '.join(' '.join(cell.split()).replace('|', '/')[:300] for cell in cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or cpu")
    parser.add_argument("--quick", action="store_true", help="only whether this script runs")
    parser.add_argument(
        "--root", default="data", help="folder that holds the folder MNIST, for the recipes that read it"
    )
    parser.add_argument("--only", default="", help="a regular expression: the parts whose names hold it")
    options, end = Options(**vars(parser.parse_args())), time.monotonic() + LIMIT
    parts = [part for part in parts_for(options) if re.search(options.only, part.name)]
    print("# What a GPU makes of it\n\nBy `tests/gpu/check.sh`, " + time.strftime("%Y-%m-%d", time.gmtime()) + ".\n")
    for cells in (["what", "result", "state"], ["---"] * 3):
        print(line(cells))
    failed = show([Part("machine", 60, machine)], options, end)
    for together in groups(parts) if not failed else ():
        failed += show(together, options, end)
    return int(failed > 0)


def show(parts: Sequence[Part], options: Options, end: float) -> int:
    """Print the rows of parts as they come, and count those that have failed."""
    failed = 0
    for row in run(parts, options, end):
        print(line(row), flush=True)
        failed += row.state == "FAILED"
    return failed


if __name__ == "__main__":
    sys.exit(main())
