"""How a program ends that is asked to while runs train, are prepared or are measured: with all saved, and its code."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from allmodes import Experiment, load_run
from allmodes.cli.main import execute
from allmodes.engine.loop import Loop
from allmodes.experiments.results import Results
from allmodes.registry.faults import as_error
from allmodes.runs.run_folder import RunFolder
from allmodes.system import signals
from allmodes.system.signals import Stop, Stopped
from allmodes.testing.interrupted import equal_runs
from tiny import SPEC

TRAINED = {**SPEC, "training": {**SPEC["training"], "checkpoints": {"every": 5}}, "seeds": [3, 4]}


class At:
    """Does something at its n-th call."""

    def __init__(self, call: int, act: Callable[[], None]) -> None:
        self.left, self.act = call, act

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.act()


def _leave(code: object) -> Callable[[], None]:
    def leave() -> None:
        raise SystemExit(code)

    return leave


def _send(number: int) -> Callable[[], None]:
    return lambda: signal.raise_signal(number)


def _experiment(folder: Path, spec: Mapping[str, Any], **objects: Any) -> Experiment:
    return Experiment.from_spec(spec, folder=folder, track=False, **objects)


def _resume(folder: Path, **objects: Any) -> Results:
    (run,) = folder.glob("tiny-*")
    return Experiment.resume(run, track=False, **objects).run()


def _run_of(folder: Path, seed: int) -> RunFolder:
    (run,) = folder.glob("tiny-*")
    return RunFolder(run).of_seed(seed)


@pytest.mark.parametrize("code", [7, "enough"])
def test_an_end_of_the_program_in_a_step_saves_and_keeps_its_code(tmp_path: Path, code: object) -> None:
    at = At(17, _leave(code))

    def pull(step: Any) -> Tensor:
        at()
        return step.fake.mean()

    spec = {**TRAINED, "losses": [*SPEC["losses"], {"kind": "python:pull", "weight": 0.1}]}
    with pytest.raises(SystemExit) as ended:
        _experiment(tmp_path / "one", spec, losses={"pull": pull}).run()
    assert ended.value.code == code
    outcome = _run_of(tmp_path / "one", 3).outcome()
    assert outcome is not None
    assert (outcome.status, outcome.iteration) == ("killed", 16)
    assert f"ends the program (SystemExit({code!r}))" in (outcome.error or "")
    assert load_run(_run_of(tmp_path / "one", 3).path).sample(3).shape == (3, 2)
    assert not _run_of(tmp_path / "one", 4).is_run  # the program has ended
    assert _resume(tmp_path / "one", losses={"pull": pull}).status == "finished"
    _experiment(tmp_path / "other", spec, losses={"pull": pull}).run()
    for seed in (3, 4):
        assert equal_runs(_run_of(tmp_path / "one", seed).path, _run_of(tmp_path / "other", seed).path)


def test_runs_beside_one_that_ends_the_program_are_saved_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    iterate, calls = Loop.iterate, list[int]()

    def ended(self: Loop) -> Any:
        updated = iterate(self)
        calls.append(1)
        return {**updated, self.lanes[0]: as_error(SystemExit(7))} if len(calls) == 7 else updated

    monkeypatch.setattr(Loop, "iterate", ended)
    spec = {**TRAINED, "training": {**TRAINED["training"], "engine": "stacked", "checkpoints": {"every": 1000}}}
    with pytest.raises(SystemExit) as left:
        _experiment(tmp_path, spec).run()
    assert left.value.code == 7
    first, second = (_run_of(tmp_path, seed).outcome() for seed in (3, 4))
    assert first is not None
    assert second is not None
    assert (first.status, first.error) == ("killed", str(as_error(SystemExit(7))))
    assert (second.status, second.iteration, second.error) == ("killed", 7, None)
    assert [folder.name for folder in _run_of(tmp_path, 4).checkpoints] == ["00000007"]


def test_a_signal_while_real_data_are_measured_is_heard(tmp_path: Path) -> None:
    at = At(3, _send(signal.SIGTERM))  # the two evaluations come first

    def measure(samples: Tensor, real: Tensor) -> float:
        at()
        return float(samples.mean())

    spec = {**SPEC, "evaluation": {**SPEC["evaluation"], "metrics": [{"kind": "python:mean", "better": "lower"}]}}
    with pytest.raises(SystemExit) as ended:
        _experiment(tmp_path / "one", spec, metrics={"mean": measure}).run()
    assert (ended.value.code, at.left) == (143, 0)
    outcome = _run_of(tmp_path / "one", 3).outcome()
    assert outcome is not None
    assert (outcome.status, outcome.iteration, outcome.floors, outcome.error) == ("killed", 20, {}, None)
    assert _resume(tmp_path / "one", metrics={"mean": measure}).status == "finished"
    _experiment(tmp_path / "other", spec, metrics={"mean": measure}).run()
    assert equal_runs(_run_of(tmp_path / "one", 3).path, _run_of(tmp_path / "other", 3).path)
    again = _run_of(tmp_path / "one", 3).outcome()
    assert again is not None
    assert again.floors.keys() == {"mean"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGUSR1, 75)])
def test_a_signal_while_a_run_is_built_is_heard(
    number: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_SIGNALS", "USR1")
    at = At(2, _send(number))  # networks are tried when an experiment is prepared

    def make() -> nn.Module:
        at()
        return nn.Linear(2, 2)

    spec = {**SPEC, "generator": {"kind": "python:make"}}
    with pytest.raises(SystemExit) as ended:
        _experiment(tmp_path, spec, networks={"make": make}).run()
    assert (ended.value.code, at.left) == (code, 0)
    assert _run_of(tmp_path, 3).outcome() is None
    with pytest.warns(UserWarning, match="has no checkpoint that can be read: it starts from the beginning"):
        assert _resume(tmp_path, networks={"make": make}).status == "finished"


@pytest.mark.parametrize(
    ("number", "expected"), [(signal.SIGTERM, (SystemExit, (143,))), (signal.SIGINT, (KeyboardInterrupt, ()))]
)
def test_a_signal_before_a_run_writes_nothing(
    number: int, expected: tuple[type[BaseException], tuple[object, ...]], tmp_path: Path
) -> None:
    at = At(1, _send(number))

    def make() -> nn.Module:
        at()
        return nn.Linear(2, 2)

    with pytest.raises(expected[0]) as ended:
        _experiment(tmp_path / "runs", {**SPEC, "generator": {"kind": "python:make"}}, networks={"make": make}).run()
    assert (ended.value.args, at.left) == (expected[1], 0)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR2, 75)])
def test_the_exit_code_says_which_signal_it_was(
    number: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_SIGNALS", "USR1,USR2")
    monkeypatch.chdir(tmp_path)
    Path("tiny.json").write_text(json.dumps(SPEC))
    iterate, at = Loop.iterate, At(12, _send(number))

    def interrupted(self: Loop) -> Any:
        at()
        return iterate(self)

    monkeypatch.setattr(Loop, "iterate", interrupted)
    assert execute(["run", "tiny.json", "--no-tracking", "--quiet"]) == code
    outcome = _run_of(tmp_path / "runs", 3).outcome()
    assert outcome is not None
    assert (outcome.status, outcome.iteration) == ("killed", 12)


def test_what_takes_long_is_interrupted_by_another_thread_and_by_a_stop_before() -> None:
    stop = Stop()
    with stop.listening():
        with stop.interrupting():
            signals.check()
            threading.Timer(0.2, stop.ask).start()
            with pytest.raises(Stopped):
                time.sleep(600)
        assert stop.asked
        signals.check()  # outside a block nothing is interrupted
        with stop.interrupting(), pytest.raises(Stopped):
            signals.check()
        signal.raise_signal(signal.SIGTERM)
    assert stop.code == 143
