"""One run by several processes: together they do what one does with the whole batch, and go on as if unbroken."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import yaml
from torch import Tensor
from torch.utils._pytree import tree_map_only
from typing_extensions import override

from allmodes import Experiment, Spec, installed
from allmodes.data import TensorData, fresh
from allmodes.data.base import Data, Loader
from allmodes.engine.coupling import CouplingError, check_uncoupled
from allmodes.engine.eager import EagerEngine
from allmodes.engine.loop import Lane, Loop
from allmodes.engine.peers import Peers
from allmodes.experiments.batches import make_loader
from allmodes.experiments.lanes import build_lane
from allmodes.game.compose import compose
from allmodes.game.noise import Noise, rng
from allmodes.game.step import Draw
from allmodes.models import checkpoints
from allmodes.runs.run import RunError
from allmodes.runs.run_folder import RunFolder
from allmodes.specs.loading import SpecError, load, parse
from allmodes.specs.ranks import check_ranks
from allmodes.system.paths import near
from allmodes.system.ranks import Rank, find_rank
from allmodes.system.variables import VariableError
from allmodes.testing.interrupted import read_tensors
from lanes import STEADY, spec_of
from ranked import in_ranks

pytestmark = pytest.mark.filterwarnings("ignore:.*the ramp goes on")

SHORT = (
    "training.device=cpu", "training.batch_size=32", "training.iterations=4", "evaluation.every=4", "seeds=[0]",
)  # fmt: skip
FAMILY = (
    "study/ring-gan", "study/ring-r3gan", "study/ring-wgan-gp", "study/ring-infogan", "study/ring-bourgan",
    "study/ring-veegan", "study/ring-pacgan",
)  # fmt: skip
ITERATIONS = 2
ONE = "several processes would train something else: train this with one process"


# Parts of a batch


def whole_and_parts(loader: Callable[[], Loader]) -> tuple[Loader, list[Loader]]:
    return loader(), [loader().part(i, 2) for i in range(2)]


def assert_parts_make_the_whole(whole: Loader, parts: Sequence[Loader], batches: int = 5) -> None:
    for _ in range(batches):
        batch, *found = next(whole), *map(next, parts)
        assert torch.equal(batch.x, torch.cat([part.x for part in found]))
        for name, stream in batch.streams.items():
            assert torch.equal(stream.x, torch.cat([part.streams[name].x for part in found]))


@pytest.mark.parametrize("endless", [True, False])
def test_processes_see_together_the_batches_of_one(endless: bool) -> None:
    data: Data = Experiment.from_spec(spec_of({"seeds": [0]})).data
    data = data if endless else TensorData(torch.arange(40.0)[:, None])
    whole, parts = whole_and_parts(lambda: data.loader(8, 1))
    assert_parts_make_the_whole(whole, parts, 12)
    state = whole.state_dict()
    for loader in (whole, *parts):
        loader.load_state_dict(state)
    assert_parts_make_the_whole(whole, parts)


def test_each_process_reads_its_part_of_files_alone(tmp_path: Path) -> None:
    from allmodes.data.base import DataInfo
    from allmodes.data.files.on_disk import OnDiskData
    from allmodes.data.files.source import Items, ItemsInMemory

    class Counting(ItemsInMemory):
        read_so_far = 0

        @override
        def read(self, positions: Sequence[int]) -> Items:
            self.read_so_far += len(positions)
            return super().read(positions)

    source = Counting("numbers", Items(torch.arange(40.0)[:, None], None))
    data = OnDiskData(source, source, 0, DataInfo(), "numbers")
    whole, parts = whole_and_parts(lambda: data.loader(8, 1))
    assert_parts_make_the_whole(whole, parts, 12)
    source.read_so_far = 0
    next(data.loader(8, 1).part(0, 2))
    assert source.read_so_far == 4


def test_streams_are_shared_too() -> None:
    spec = parse(spec_of({"streams": {"few": {"items": 10, "batch_size": 4}}}, batch_size=8), installed())
    data = Experiment(spec).data
    assert_parts_make_the_whole(*whole_and_parts(lambda: make_loader(spec, data, 0)))


# What is refused before anything is trained


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": {"batch_size": 9}},
         "training.batch_size: is 9, which 2 processes share: set it to a multiple of 2, 4 or more, such as 8"),
        ({"training": {"batch_size": 10}, "discriminator": {"kind": "mlp", "hidden": [8], "pack": 2}},
         "training.batch_size: is 10, which 2 processes share: set it to a multiple of 2 x discriminator.pack (2), "
         "8 or more, such as 8"),
        ({"streams": {"few": {"items": 10, "batch_size": 3}}},
         "streams.few.batch_size: is 3, which 2 processes share: set it to a multiple of 2, 4 or more, such as 4"),
        ({"training": {"engine": "compiled"}},
         "training.engine: is compiled, but 2 processes train one run with the eager engine: set it to eager or auto"),
        ({"training": {"device": "cuda:1"}},
         "training.device: is cuda:1, but each of 2 processes has a card of its own: set it to cuda or auto"),
        ({"seeds": [1, 2]}, "seeds: 2 processes train one run, not 2: give one seed, such as --seeds 1"),
    ],
)  # fmt: skip
def test_a_spec_that_processes_cannot_share_is_refused_by_its_field(changes: Mapping[str, Any], message: str) -> None:
    spec = parse(spec_of({"seeds": [0]}, changes), installed())
    with pytest.raises(SpecError) as caught:
        check_ranks(spec, spec.seeds, 2)
    assert str(caught.value) == message


def test_the_environment_of_torchrun_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert find_rank() is None
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert find_rank() is None
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(VariableError) as caught:
        find_rank()
    missing = "WORLD_SIZE=2, but RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT are not set"
    assert str(caught.value) == f"{missing}: start the processes of a run with torchrun, or unset WORLD_SIZE"
    for name, value in {"RANK": "3", "LOCAL_RANK": "1", "MASTER_ADDR": "host", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert find_rank() == Rank(3, 2, 1)


def test_commands_that_train_more_than_one_run_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from allmodes.cli.main import execute

    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    why = "torchrun's 2 processes train one run of one spec and seed: start this without torchrun"
    assert execute(["compare", "gan/ring", "--folder", str(tmp_path / "study")]) == 2
    assert f"compare: {why}" in capsys.readouterr().err
    assert execute(["run", "gan/ring", "--seeds", "0-1", "--out", str(tmp_path)]) == 2
    assert "seeds: 2 processes train one run, not 2" in capsys.readouterr().err
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert execute(["compare", "gan/ring", "--folder", str(tmp_path / "study")]) == 2
    assert f"compare: {why}" in capsys.readouterr().err  # rank 0 may be ended before it has said it
    assert not any(tmp_path.iterdir())


# What couples a batch


def try_turns(spec: Spec, iteration: int = 0) -> None:
    data = Experiment(spec).data
    composition = compose(spec, data, 0)
    for module in composition.modules.values():
        module.train()
    engine, loader = EagerEngine(composition), make_loader(spec, data, 0)
    for turn in composition.schedule:
        if composition.active(turn, composition.weights(iteration)):
            check_uncoupled(engine, turn, Draw(next(loader), Noise(rng(0, "noise"))), iteration)


@pytest.mark.parametrize("recipe", [*FAMILY, "baselines/infogan-grid", "baselines/sngan-ring", "baselines/mrgan-ring"])
def test_a_mean_over_items_may_be_shared(recipe: str) -> None:
    try_turns(load(recipe, installed(), SHORT))


@pytest.mark.parametrize(
    ("recipe", "iteration", "why"),
    [
        ("baselines/gdpp-ring", 0, "loss baselines.determinantal of player 'generator' couples the items of a batch"),
        ("baselines/msgan-ring", 0, "loss baselines.mode_seeking of player 'generator' couples the items of a batch"),
        ("baselines/topk-ring", 10**9, "loss baselines.top_k of player 'generator' couples the items of a batch"),
        ("baselines/unrolled-ring", 0, "loss baselines.unrolled looks ahead of updates on a batch (step.after)"),
        ("baselines/began-ring", 0, "losses/baselines.began.k remembers which items a batch had"),
        ("baselines/pacgan2-ring", 0, "BatchNorm in generator normalises by the items of a batch"),
    ],
)
def test_what_couples_a_batch_is_refused_by_its_name(recipe: str, iteration: int, why: str) -> None:
    with pytest.raises(CouplingError) as caught:
        try_turns(load(recipe, installed(), [*SHORT, "training.batch_size=64"]), iteration)
    assert str(caught.value) == f"{why}: with a part of it each, {ONE}"


def test_a_trial_leaves_all_as_it_was() -> None:
    spec = load("baselines/deligan-ring", installed(), SHORT)
    data = Experiment(spec).data
    composition = compose(spec, data, 0)
    engine, loader = EagerEngine(composition), make_loader(spec, data, 0)
    before = {name: {k: v.clone() for k, v in m.state_dict().items()} for name, m in composition.modules.items()}
    noise = Noise(rng(0, "noise"))
    check_uncoupled(engine, composition.schedule[0], Draw(next(loader), noise), 0)
    for name, module in composition.modules.items():
        assert all(torch.equal(before[name][key], value) for key, value in module.state_dict().items())
    assert not noise.drawn


# Two processes


class JoinedNoise(Noise):
    """The noise of two processes, one behind the other."""

    def __init__(self, generators: Sequence[torch.Generator], drawn: dict[str, Tensor], place: str = "") -> None:
        super().__init__(generators[0], drawn, place)
        self.generators = generators

    @override
    def at(self, place: str) -> Noise:
        return JoinedNoise(self.generators, self.drawn, f"{self.place}{place}/")

    @override
    def without(self, names: Any) -> Noise:
        return JoinedNoise(self.generators, super().without(names).drawn, self.place)

    @override
    def _draw(self, distribution: Callable[..., Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
        key = self.place + name
        if key not in self.drawn:
            own = (shape[0] // 2, *shape[1:])
            self.drawn[key] = torch.cat([distribution(own, generator=one) for one in self.generators])
        return self.drawn[key]


class WholeLane(Lane):
    """One process that has the noise of two."""

    @override
    def draw(self, last: Draw | None) -> Draw:
        own: Any = self
        generators = own.__dict__.setdefault("generators", [rng(0, "noise"), rng(0, "noise/1")])
        return Draw(next(self.loader), JoinedNoise(generators, {})) if last is None else last.reuse()


def steady(recipe: str) -> Spec:
    spec = load(recipe, installed(), [*SHORT, "training.optimizers={}"])
    training = spec.training.model_copy(update={"optimizer": type(spec.training.optimizer)(**STEADY)})
    return spec.model_copy(update={"training": training})


def trained(recipe: str, peers: Peers | None) -> dict[str, Tensor]:
    """The weights after a few iterations, by this process alone or with its peers."""
    spec = steady(recipe)
    experiment = Experiment(spec)
    lane = build_lane(experiment.run_of(0, Path("nowhere")), experiment.data, {}, {}, peers)
    if peers is None:
        lane = WholeLane(lane.composition, lane.engine, lane.loader, lane.generator, None, lane.refits)
    loop = Loop([lane])
    for _ in range(ITERATIONS):
        outcome = loop.iterate()[lane]
        assert not isinstance(outcome, Exception), outcome
    return {f"{m}.{k}": v for m, module in lane.composition.modules.items() for k, v in module.state_dict().items()}


def train_together(recipes: Sequence[str]) -> dict[str, dict[str, Any]]:
    rank = find_rank()
    assert rank is not None
    peers = Peers(rank)
    peers.open("cpu")
    weights = {recipe: trained(recipe, peers) for recipe in recipes}
    peers.close()
    return {recipe: {name: value.numpy() for name, value in own.items()} for recipe, own in weights.items()}


def assert_as_one(recipes: Sequence[str]) -> None:
    one, other = in_ranks(partial(train_together, recipes), partial(train_together, recipes))
    for recipe in recipes:
        for name, value in trained(recipe, None).items():
            found = torch.from_numpy(one[recipe][name])
            assert torch.equal(found, torch.from_numpy(other[recipe][name]))
            error = float((value.double() - found.double()).abs().max()) if value.numel() else 0.0
            assert error <= 1e-6 * max(1.0, float(value.abs().max())), f"{recipe}: {name} is off by {error}"


def test_two_processes_train_as_one_with_the_whole_batch() -> None:
    assert_as_one(FAMILY[:1])


@pytest.mark.slow
def test_two_processes_train_every_method_of_means_as_one_does() -> None:
    assert_as_one(FAMILY)


# A whole run


def run_together(folder: Path, iterations: int, every: int = 4, **changes: Any) -> Callable[[], Any]:
    """A run of two processes, in each of them; returns how it ended, and what it warned of."""
    training = {"checkpoints": {"every": 4}, "iterations": iterations, **changes}
    spec = spec_of({"seeds": [3], "training": training, "evaluation": {"every": every}})
    warned: list[str] = []

    def train() -> Any:
        options: dict[str, Any] = {"track": False, "warn": warned.append, "folder": folder}
        results = Experiment.from_spec(
            {**spec, "training": {**spec["training"], "iterations": iterations}}, **options
        ).run()
        return results.folder, vars(results.outcomes[3]), warned

    return train


def resume_together(folder: Path, *overrides: str) -> Callable[[], Any]:
    def train() -> Any:
        results = Experiment.resume(folder, overrides, track=False, warn=lambda message: None).run()
        return results.folder, vars(results.outcomes[3])

    return train


def test_a_run_of_two_processes_ends_goes_on_and_says_how_many_trained_it(tmp_path: Path) -> None:
    def train() -> Any:
        whole = run_together(tmp_path / "whole", 8, ema={})()
        half = run_together(tmp_path / "half", 4, ema={})()
        return whole, half, resume_together(half[0], "training.iterations=8")()

    (whole, half, resumed), others = in_ranks(train, train)
    assert [one[0] for one in others] == [whole[0], half[0], resumed[0]]
    assert resumed[1]["status"] == others[2][1]["status"] == "finished"
    one, other = RunFolder(whole[0]).of_seed(3), RunFolder(resumed[0]).of_seed(3)
    assert resumed[1]["processes"] == 2
    assert one.read_facts().processes == 2
    assert (a := read_tensors(one.path)).keys() == (b := read_tensors(other.path)).keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    states = [checkpoints.read(run.checkpoints[0]).state["ranks"] for run in (one, other)]
    assert len(states[0]) == 2
    assert tree_map_only(Tensor, Tensor.tolist, states[0]) == tree_map_only(Tensor, Tensor.tolist, states[1])
    with pytest.raises(RunError) as caught:
        Experiment.resume(resumed[0], ["training.iterations=12"], track=False, warn=lambda message: None).run()
    how = "resume it with `torchrun --nproc-per-node 2 -m allmodes resume`"
    what = "it was trained by 2 processes and cannot go on with 1"
    assert str(caught.value) == f"{near(other.path)}: {what}: {how}"


def test_all_processes_go_back_with_lower_rates(tmp_path: Path) -> None:
    bursting = {"kind": "sgd", "lr": 10.0}
    rewind = {"signs": ["divergence"], "rate": 0.01, "times": 2}
    train = run_together(tmp_path, 20, 10, optimizer=bursting, rewind=rewind, checkpoints={"every": 2})
    leads, follows = in_ranks(train, train)
    assert leads[1]["status"] == follows[1]["status"] == "finished"  # their weights are compared at each checkpoint
    assert [(one["to"], one["factor"]) for one in leads[1]["rewinds"]] == [(0, 0.01)]


def test_what_fails_in_one_process_ends_all_with_its_words(tmp_path: Path) -> None:
    def job(is_broken: bool) -> Callable[[], Any]:
        def train() -> Any:
            if is_broken:
                fresh.FreshLoader.__next__ = lambda self: 1 / 0  # type: ignore[method-assign, assignment]
            return run_together(tmp_path, 8)()

        return train

    leads, follows = in_ranks(job(False), job(True))
    assert leads[1]["status"] == follows[1]["status"] == "failed"
    assert leads[1]["error"].startswith("PeerError: rank 1 failed: a batch of the data")
    assert "ZeroDivisionError: division by zero" in leads[1]["error"]


def signalled(number: signal.Signals | None, train: Callable[[], Any]) -> Callable[[], Any]:
    """A run whose process gets a signal as it draws its sixth batch."""

    def job() -> Any:
        draw = fresh.FreshLoader.__next__

        def draw_next(self: fresh.FreshLoader) -> Any:
            if number and len(drawn) == 5:
                os.kill(os.getpid(), number)
            drawn.append(1)
            return draw(self)

        fresh.FreshLoader.__next__ = draw_next  # type: ignore[method-assign]
        return train()

    drawn = list[int]()
    return job


def test_a_signal_to_any_process_saves_and_ends_all(tmp_path: Path) -> None:
    train = run_together(tmp_path, 1000)
    leads, follows = in_ranks(signalled(None, train), signalled(signal.SIGINT, train))
    assert leads[1]["status"] == follows[1]["status"] == "killed"
    run = RunFolder(leads[0]).of_seed(3)
    assert int(run.checkpoints[0].name) == leads[1]["iteration"] < 1000
    assert len(checkpoints.read(run.checkpoints[0]).state["ranks"]) == 2


def test_a_killed_process_ends_the_others_and_the_run_goes_on(tmp_path: Path) -> None:
    train = run_together(tmp_path, 8, checkpoints={"every": 1})
    leads, follows = in_ranks(signalled(None, train), signalled(signal.SIGKILL, train))
    assert follows is None
    assert leads[1]["status"] == "failed"
    assert leads[1]["error"].startswith("PeerError: another process of this run has ended, or cannot be reached (")
    assert leads[1]["error"].endswith("): what was saved stays: go on with `allmodes resume`")
    saved = int(RunFolder(leads[0]).of_seed(3).checkpoints[0].name)
    assert 0 < saved <= leads[1]["iteration"] < 8

    def go_on() -> Any:
        return resume_together(leads[0])(), run_together(tmp_path / "whole", 8, checkpoints={"every": 1})()

    (resumed, whole), _ = in_ranks(go_on, go_on)
    assert resumed[1]["status"] == "finished"
    one, other = (read_tensors(RunFolder(run[0]).of_seed(3).path) for run in (resumed, whole))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


# By torchrun itself


def torchrun(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "allmodes", *words]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def begin(folder: Path) -> tuple[subprocess.Popen[str], RunFolder]:
    """Begin a long run, and wait until it has saved."""
    spec = spec_of({"seeds": [3]}, iterations=100_000, checkpoints={"every": 20})
    (folder / "spec.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(spec))))
    started = torchrun(folder, "run", "spec.yaml", "--no-tracking")
    for _ in range(6000):
        assert started.poll() is None, started.stdout and started.stdout.read()
        if found := [run for run in map(RunFolder, folder.glob("runs/*/seed-3")) if run.checkpoints]:
            return started, found[0]
        time.sleep(0.1)
    raise AssertionError("nothing is saved")


def process_of(started: subprocess.Popen[str], rank: int) -> psutil.Process:
    children = psutil.Process(started.pid).children(recursive=True)
    return next(one for one in children if one.environ().get("RANK") == str(rank))


def assert_goes_on(folder: Path, run: RunFolder) -> None:
    more = int(run.checkpoints[0].name) + 20
    ended = torchrun(folder, "resume", str(run.path), "--set", f"training.iterations={more}")
    output = ended.communicate(timeout=600)[0]
    assert ended.returncode == 0, output
    assert f"to {more:,} on cpu by 2 processes" in output
    assert run.outcome() is not None


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_torchrun_ends_after_a_process_was_killed_and_the_run_goes_on(rank: int, tmp_path: Path) -> None:
    started, run = begin(tmp_path)
    process_of(started, rank).kill()
    output = started.communicate(timeout=60)[0]  # a minute is what a killed process may cost the others
    assert started.returncode != 0
    assert "another process of this run has ended, or cannot be reached" in output
    assert_goes_on(tmp_path, run)


@pytest.mark.slow
def test_an_interrupt_of_torchrun_saves_and_the_run_goes_on(tmp_path: Path) -> None:
    started, run = begin(tmp_path)
    started.send_signal(signal.SIGINT)
    output = started.communicate(timeout=300)[0]
    assert started.returncode != 0
    outcome = run.outcome()
    assert outcome is not None, output
    assert (outcome.status, outcome.iteration) == ("killed", int(run.checkpoints[0].name))
    assert_goes_on(tmp_path, run)
