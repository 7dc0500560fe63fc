"""The graphed engine without a GPU: when a turn is warmed up, captured and replayed, and what comes out of it.

A tape stands in for CUDA's graphs: it repeats a call on the same tensors. That CUDA does is for `tests/gpu/check.sh`.
"""

import gc
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from typing_extensions import override

from allmodes import Experiment
from allmodes.engine import graphed
from allmodes.engine.differences import EngineError
from allmodes.engine.engines import make_engine
from allmodes.engine.graphed import WARM_UPS, GraphedEngine
from allmodes.engine.loop import Loop
from allmodes.engine.stacked import Run, StackedEngine
from allmodes.engine.turns import Arguments, StackedTurn
from allmodes.experiments.seed_run import SeedRun
from tiny import SPEC

FALLING = {"start": 1e-2, "end": 1e-3, "over": 8}
GAME: Mapping[str, Any] = {
    **SPEC,
    "losses": [{"kind": "non_saturating"}, {"kind": "r1", "weight": {"start": 1, "end": 0, "over": 8}, "start": 4}],
    "training": {**SPEC["training"], "optimizers": {"generator": {"kind": "adam", "lr": FALLING}}},
    "seeds": [0, 1, 2],
}
TAKEN = ["call"] * WARM_UPS + ["capture", "replay"]
"""What happens when a turn is taken first; after it, each is a replay."""


class WholeEngine(StackedEngine):
    """The same turns, computed anew each time."""

    @override
    def _make(self, turn: StackedTurn, arguments: Arguments) -> Run:
        return turn.take


class Tape:
    """Stands in for a side stream, and tells what was asked of it."""

    engine: StackedEngine
    log: list[str]
    is_broken: bool

    def __init__(self, device: torch.device) -> None:
        Tape.log, Tape.is_broken = [], False

    def call(self, call: Callable[[], Tensor]) -> None:
        self.log.append("call")
        call()

    def capture(self, call: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        self.log.append("capture")
        if self.is_broken:
            try:
                raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nSearch for it")
            finally:  # as torch does
                raise RuntimeError("CUDA error: operation failed due to a previous error during capture")
        before = self.engine.stack.snapshot()
        result = call().fill_(torch.nan)  # a capture computes nothing
        self.engine.stack.restore(before)

        kept = weakref.ref(call)  # a graph keeps none of the tensors that it reads

        def replay() -> None:
            self.log.append("replay")
            again = kept()
            assert again is not None
            result.copy_(again())

        return replay, result


@pytest.fixture
def _taped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphed, "SideStream", Tape)
    monkeypatch.setattr(graphed, "check_device", lambda device: None)


def loop_of(kind: type[StackedEngine], folder: Path, spec: Mapping[str, Any] = GAME) -> tuple[Loop, list[str]]:
    """Seeds in lockstep; and why they went on with a slower engine, if they did."""
    experiment = Experiment.from_spec(spec, folder=folder, track=False)
    runs = [experiment.run_of(seed, folder / kind.name / str(seed)) for seed in experiment.spec.seeds]
    lanes = [SeedRun(run, experiment.data, {}, experiment.registry, pytest.fail).lane for run in runs]
    reasons: list[str] = []

    def slow_down(engine: object, reason: str) -> StackedEngine:
        reasons.append(reason)
        loop.engine.close()
        return WholeEngine([lane.engine for lane in loop.lanes])

    Tape.engine = kind([lane.engine for lane in lanes])
    loop = Loop(lanes, Tape.engine, slow_down)
    return loop, reasons


def tensors(loop: Loop) -> list[Tensor]:
    return [
        t.detach().clone() for lane in loop.lanes for m in lane.composition.modules.values() for t in m.parameters()
    ]


def addresses_of(loop: Loop) -> list[int]:
    return [p.data_ptr() for lane in loop.lanes for m in lane.composition.modules.values() for p in m.parameters()]


def assert_equal(one: Loop, other: Loop) -> None:
    for a, b in zip(tensors(one), tensors(other), strict=True):
        assert torch.equal(a, b)


@pytest.fixture
def pair(_taped: None, tmp_path: Path) -> tuple[Loop, Loop]:
    """The same seeds, computed anew each time and replayed."""
    return loop_of(WholeEngine, tmp_path)[0], loop_of(GraphedEngine, tmp_path)[0]


def test_replayed_turns_are_those_that_are_computed_anew_with_all_that_changes_between_them(
    pair: tuple[Loop, Loop],
) -> None:
    plain, taped = pair
    for _ in range(12):  # a learning rate falls over 8, and a term joins after 4
        expected, found = plain.iterate(), taped.iterate()
        for one, other in zip(expected.values(), found.values(), strict=True):
            assert isinstance(one, dict)
            assert isinstance(other, dict)
            assert one.keys() == other.keys()
            assert all(torch.equal(one[name], other[name]) for name in one)
    assert_equal(plain, taped)


def test_a_turn_is_warmed_up_captured_once_and_replayed_from_then_on(pair: tuple[Loop, Loop]) -> None:
    taped = pair[1]
    taped.iterate()
    players = len(taped.schedule)
    assert Tape.log == TAKEN * players
    Tape.log.clear()
    taped.iterate()
    assert Tape.log == ["replay"] * players


def test_losses_that_were_handed_out_stay_as_they_are(pair: tuple[Loop, Loop]) -> None:
    taped = pair[1]
    first = next(iter(taped.iterate().values()))
    assert isinstance(first, dict)
    before = {name: value.clone() for name, value in first.items()}
    taped.iterate()
    assert all(torch.equal(first[name], before[name]) for name in first)


def test_turns_are_captured_anew_where_half_the_lanes_have_left(pair: tuple[Loop, Loop]) -> None:
    plain, taped = pair
    for loop in pair:
        loop.iterate()
        for lane in loop.lanes[1:]:
            loop.leave(lane)
    Tape.log.clear()
    for loop in pair:
        loop.iterate()
    assert Tape.log == TAKEN * len(taped.schedule)
    assert_equal(plain, taped)


def test_a_graph_goes_as_soon_as_nothing_uses_it_rather_than_during_another_capture(pair: tuple[Loop, Loop]) -> None:
    engine = Tape.engine
    pair[1].iterate()
    turns = [weakref.ref(plan.run) for plan in engine.plans.values()]
    gc.disable()
    try:
        engine.plans.clear()
        assert [turn() for turn in turns] == [None, None]
    finally:
        gc.enable()


@pytest.mark.usefixtures("_taped")
@pytest.mark.parametrize("at", [0, 4])
def test_a_capture_that_fails_goes_on_stacked_as_if_nothing_was(at: int, tmp_path: Path) -> None:
    """At the first turn, or when the terms that count are others."""
    plain, _ = loop_of(WholeEngine, tmp_path)
    taped, reasons = loop_of(GraphedEngine, tmp_path)
    for i in range(6):
        Tape.is_broken = i == at
        plain.iterate()
        taped.iterate()
    problem = "RuntimeError: CUDA error: operation not permitted when stream is capturing"
    assert reasons == [f"a turn cannot be captured: {problem}"]
    assert taped.engine.name == "stacked"
    assert_equal(plain, taped)


def test_without_a_cuda_device_the_engine_says_what_to_do_and_the_run_goes_on_stacked(tmp_path: Path) -> None:
    spec = {**SPEC, "training": {**SPEC["training"], "engine": "graphed"}}
    with pytest.warns(UserWarning, match="graphed") as warned:
        results = Experiment.from_spec(spec, folder=tmp_path, track=False).run()
    reason = (
        "it needs a CUDA device, and this is trained on cpu: set training.device to cuda, or training.engine to auto"
    )
    assert [str(w.message) for w in warned] == [
        f"tiny/seed-3: the graphed engine cannot train this: {reason}: it goes on stacked"
    ]
    assert results.status == "finished"


def test_no_lane_is_touched_where_there_is_no_cuda_device(tmp_path: Path) -> None:
    loop, _ = loop_of(StackedEngine, tmp_path)
    loop.engine.close()
    engines = [lane.engine for lane in loop.lanes]
    addresses = addresses_of(loop)
    with pytest.raises(EngineError):
        make_engine("graphed", engines)
    assert addresses_of(loop) == addresses
