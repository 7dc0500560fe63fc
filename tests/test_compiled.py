"""The compiled engine: the same training as the eager engine, compiled once, and plain words where it cannot be."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from allmodes import Spec
from allmodes.engine import compiling
from allmodes.engine.compiled import CompiledEngine
from allmodes.engine.differences import EngineError
from allmodes.engine.eager import EagerEngine
from allmodes.engine.loop import Lane, Loop
from allmodes.engine.tracing import trace
from allmodes.experiments.batches import make_loader
from allmodes.game.compose import compose
from allmodes.game.noise import rng
from allmodes.testing import load_spec

TINY: Mapping[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "gaussian", "dim": 2},
    "generator": {"kind": "mlp", "hidden": [4]},
    "discriminator": {"kind": "mlp", "hidden": [4]},
    "losses": [
        {"kind": "non_saturating"},
        {"kind": "r1", "weight": {"start": 1, "end": 0, "over": 10}, "every": 2, "start": 1},
    ],
    "training": {
        "iterations": 20, "batch_size": 8, "device": "cpu",
        "optimizer": {"kind": "sgd", "lr": {"start": 0.1, "end": 0.01, "over": 15}, "momentum": 0.5},
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of the user, and none in the environment."""
    monkeypatch.delenv(compiling.FOLDER, raising=False)
    monkeypatch.setenv("ALLMODES_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def shared_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder for the tests that compile the same turns."""
    monkeypatch.delenv(compiling.FOLDER, raising=False)
    monkeypatch.setenv("ALLMODES_CACHE", str(tmp_path_factory.getbasetemp() / "shared-cache"))


def make_lanes(spec: Spec, count: int) -> list[Lane]:
    data = spec.data.build()
    compositions = [compose(spec, data, seed) for seed in range(count)]
    for module in (m for composition in compositions for m in composition.modules.values()):
        module.train()
    return [
        Lane(c, EagerEngine(c), make_loader(spec, data, seed), rng(seed, "noise"))
        for seed, c in enumerate(compositions)
    ]


def compiled_loop(spec: Spec, count: int) -> Loop:
    lanes = make_lanes(spec, count)
    return Loop(lanes, CompiledEngine([lane.engine for lane in lanes]))


def assert_same_networks(spec: Spec, count: int, loop: Loop, iterations: int, tolerance: float = 2e-5) -> None:
    """Train the same runs eagerly, and compare all parameters and buffers."""
    for seed, lane in enumerate(make_lanes(spec, count)):
        alone = Loop([lane])
        for _ in range(iterations):
            alone.iterate()
        theirs = {name: m.state_dict() for name, m in loop.lanes[seed].composition.modules.items()}
        for name, module in lane.composition.modules.items():
            for key, value in module.state_dict().items():
                torch.testing.assert_close(theirs[name][key], value, rtol=10 * tolerance, atol=tolerance)


# What it computes


def test_compiled_runs_are_their_eager_runs_and_nothing_is_compiled_twice(
    shared_cache: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled, spec = list[int](), load_spec(TINY)
    compile_graph = torch._inductor.compile
    monkeypatch.setattr(torch._inductor, "compile", lambda *a, **k: (compiled.append(1), compile_graph(*a, **k))[1])
    loop = compiled_loop(spec, 3)
    for _ in range(3):
        loop.iterate()
    warm = len(compiled)
    for _ in range(17):
        loop.iterate()
    assert (warm, len(compiled)) == (4, 4)  # each player's turn, without r1 and with it
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 0  # nor behind our back
    assert_same_networks(spec, 3, loop, 20)


def test_a_compiled_run_is_its_eager_run_and_when_resumed_has_the_bits_of_one_that_was_not_stopped(
    shared_cache: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled, spec = list[int](), load_spec(TINY)
    compile_graph = torch._inductor.compile
    monkeypatch.setattr(torch._inductor, "compile", lambda *a, **k: (compiled.append(1), compile_graph(*a, **k))[1])
    whole, after = compiled_loop(spec, 1), make_lanes(spec, 1)[0]
    for _ in range(5):
        whole.iterate()
    before = whole.lanes[0]
    for name, module in after.composition.modules.items():
        module.load_state_dict(before.composition.modules[name].state_dict())
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    for _ in range(7):
        whole.iterate()
    assert len(compiled) == 4  # as in a stack
    assert_same_networks(spec, 1, whole, 12)
    resumed = Loop([after], CompiledEngine([after.engine]))
    for _ in range(7):
        resumed.iterate()
    for name, module in whole.lanes[0].composition.modules.items():
        for key, value in module.state_dict().items():
            assert torch.equal(after.composition.modules[name].state_dict()[key], value), f"{name}.{key}"


# Where it cannot


def test_a_plain_error_of_inductor_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("no such instruction " + "x" * 300 + "\na page of text")

    monkeypatch.setattr(torch._inductor, "compile", fail)
    with pytest.raises(EngineError) as refusal:
        compiling.compile_trace(trace(lambda x: [x + 1], [torch.zeros(2)], {}), [torch.zeros(2)])
    assert str(refusal.value) == f"RuntimeError: no such instruction {'x' * 263}..."


def run_python(code: str, **environment: str) -> str:
    """What a program prints in a process of its own."""
    given = {key: value for key, value in os.environ.items() if key not in ("CXX", compiling.FOLDER)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=given | environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("environment", [{"PATH": "/nowhere"}, {"CXX": "/nowhere/g++"}], ids=["PATH", "CXX"])
def test_a_missing_compiler_is_said_before_any_work(environment: dict[str, str]) -> None:
    code = """if True:
    from allmodes.engine.compiled import CompiledEngine
    from allmodes.engine.differences import EngineError
    try:
        CompiledEngine([])
    except EngineError as error:
        print(error)
    """
    assert run_python(code, **environment) == (
        "there is no C++ compiler: install g++ or clang, or name one in the environment's CXX\n"
    )


# What it keeps


def test_what_is_compiled_is_kept_in_the_users_cache_folder(cache: Path) -> None:
    code = """if True:
    import torch
    from allmodes.engine.compiling import compile_trace
    from allmodes.engine.tracing import trace
    leaves = [torch.arange(40.0)]
    run = compile_trace(trace(lambda x: [x * 2 + 1], leaves, {}), leaves)
    print(int(run(*leaves)[0].sum()))
    """
    assert run_python(code) == "1600\n"
    assert list((cache / "compiled").rglob("*.so"))
    assert [path.name for path in cache.iterdir()] == ["compiled"]


def test_a_cache_that_the_environment_names_is_used(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(compiling.FOLDER, str(tmp_path / "study"))
    leaves = [torch.arange(30.0)]
    double: Callable[[Tensor], list[Tensor]] = lambda x: [x * 2 - 1]  # noqa: E731
    compiling.compile_trace(trace(double, leaves, {}), leaves)
    assert list((tmp_path / "study").rglob("*.so"))
    assert not cache.exists()
