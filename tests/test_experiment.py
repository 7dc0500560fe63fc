"""Runs from Python: what lies on disk afterwards, what is reproducible, and how a run ends."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from allmodes import Experiment, Outcome, Results, Run, hookimpl, load_run
from allmodes.game.compose import CompositionError
from allmodes.game.noise import rng
from allmodes.models.page import ModelError
from allmodes.runs import journal
from allmodes.runs.results import load_results
from allmodes.system.signals import Stop
from allmodes.system.variables import VariableError
from tiny import SPEC

PICTURED = {**SPEC["evaluation"], "figure": True}


def tiny(tmp_path: Path, **changes: Any) -> Experiment:
    return Experiment.from_spec({**SPEC, **changes}, folder=tmp_path, track=False)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "generator.safetensors")


def test_a_run_leaves_spec_numbers_pictures_model_and_results(tmp_path: Path) -> None:
    results = tiny(tmp_path, evaluation=PICTURED).run()
    folder = results.folder / "seed-3"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {
        ".lock", "spec.yaml", "run.json", "metrics.jsonl", "results.json", "figures/samples-00000010.png",
        "figures/samples-00000020.png", "model/model.json", "model/generator.safetensors",
        "model/discriminator.safetensors", "checkpoints/00000020/model.json", "checkpoints/00000020/state.pt",
        "checkpoints/00000020/generator.safetensors", "checkpoints/00000020/discriminator.safetensors",
    }  # fmt: skip
    assert (results.folder / "samples.png").stat().st_size > 1000
    lines = journal.read(folder / "metrics.jsonl")
    assert [line["iteration"] for line in lines if "eval/modes" in line] == [10, 20]
    assert [line["iteration"] for line in lines if "train/discriminator/r1" in line] == [1, 5, 10, 15, 20]
    assert results.outcomes[3].status == "finished"
    assert load_results(results.folder)[3].results["modes"] == results.mean("modes")


def test_the_results_stand_beside_what_real_data_score(tmp_path: Path) -> None:
    results = tiny(tmp_path).run()
    assert results.floors["modes"] == 8
    assert results.floors["high_quality"] == pytest.approx(0.989, abs=0.03)


def test_the_same_seed_gives_bit_equal_runs_and_another_seed_does_not(tmp_path: Path) -> None:
    first, second = (tiny(tmp_path).run([3, 4]).folder for _ in range(2))
    for key, value in weights(first / "seed-3").items():
        assert torch.equal(value, weights(second / "seed-3")[key])
    assert any(not torch.equal(v, weights(first / "seed-4")[k]) for k, v in weights(first / "seed-3").items())


def test_a_stored_spec_runs_again_to_the_same_weights(tmp_path: Path) -> None:
    first = tiny(tmp_path).run().folder
    again = Experiment.from_recipe(str(first / "seed-3"), folder=tmp_path / "again", track=False).run().folder
    for key, value in weights(first / "seed-3").items():
        assert torch.equal(value, weights(again / "seed-3")[key])


def test_a_loaded_model_samples_as_the_run_did_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    folder = tiny(tmp_path).run().folder
    model = load_run(folder)
    assert model.sample(7, seed=1).shape == (7, 2)
    assert torch.equal(model.sample(7, seed=1), load_run(folder / "seed-3").sample(7, seed=1))
    assert not torch.equal(model.sample(7, seed=1), model.sample(7, seed=2))


def test_the_moving_average_is_what_is_measured_and_saved(tmp_path: Path) -> None:
    training = {**SPEC["training"], "ema": {"decay": 0.0}}
    live = tiny(tmp_path).run().folder
    averaged = tiny(tmp_path, training=training).run().folder  # decay 0: the average is the weights
    for key, value in weights(live / "seed-3").items():
        torch.testing.assert_close(value, weights(averaged / "seed-3")[key])
    frozen = tiny(tmp_path, training={**SPEC["training"], "ema": {"decay": 0.999999}}).run().folder
    assert any(not torch.allclose(v, weights(frozen / "seed-3")[k]) for k, v in weights(live / "seed-3").items())


def test_streams_of_a_seed_are_independent_and_reproducible() -> None:
    draws = {name: torch.randn(4, generator=rng(0, name)).tolist() for name in ("data", "noise", "weights")}
    assert len({tuple(draw) for draw in draws.values()}) == 3
    assert draws["data"] == torch.randn(4, generator=rng(0, "data")).tolist()


def test_a_run_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    tiny(tmp_path).run()
    assert torch.equal(torch.rand(3), expected)


def test_a_loss_that_is_not_finite_fails_the_run_with_advice(tmp_path: Path) -> None:
    training = {**SPEC["training"], "optimizer": {"kind": "sgd", "lr": 1e30}}
    outcome = tiny(tmp_path, training=training).run().outcomes[3]
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert outcome.error.endswith(
        "is no longer finite at iteration 1: lower the learning rate, or add a penalty such as {kind: r1}"
    )
    assert (tmp_path / next(tmp_path.iterdir()).name / "seed-3" / "model").is_dir()


IDLE: dict[str, dict[str, Any]] = {
    "terms with a cadence": {"losses": [{"kind": "non_saturating", "every": 2}]},
    "a term that starts later": {"losses": [{"kind": "non_saturating", "start": 3}]},
    "turns that end before the run": {
        "training": {"schedule": [{"player": "discriminator", "end": 2}, {"player": "generator", "end": 2}]}
    },
}


@pytest.mark.parametrize("idle", IDLE)
def test_an_iteration_in_which_no_loss_was_due_is_logged_without_any(idle: str, tmp_path: Path) -> None:
    training = SPEC["training"] | {"iterations": 4, "log_every": 1} | IDLE[idle].get("training", {})
    results = tiny(tmp_path, **{**IDLE[idle], "training": training}).run()
    lines = journal.read(results.folder / "seed-3" / "metrics.jsonl")
    logged = [line for line in lines if "time/seconds" in line]
    assert [line["iteration"] for line in logged] == [1, 2, 3, 4]
    assert {any(key.startswith("train/") for key in line) for line in logged} == {True, False}


def test_a_missing_cuda_device_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(CompositionError) as error:
        tiny(tmp_path, training={**SPEC["training"], "device": "cuda"}).run()
    assert str(error.value) == ("training.device is 'cuda', but torch finds no CUDA device here: use auto or cpu")
    assert not list(tmp_path.iterdir())


def collapsing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: str) -> tuple[Results, list[str]]:
    """A run whose evaluations find 8, 3, 2 and 8 modes."""
    found, warnings = iter([8.0, 3.0, 2.0, 8.0]), list[str]()
    monkeypatch.setattr("allmodes.metrics.Modes.compute", lambda self, evaluation: {"modes": next(found)})
    experiment = tiny(tmp_path, evaluation={**SPEC["evaluation"], "every": 5, "collapse": action})
    experiment.warn = warnings.append
    experiment.resources.__dict__["floors"] = {}
    return experiment.run(), warnings


def test_a_loss_of_modes_is_warned_about_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, warnings = collapsing(tmp_path, monkeypatch, "warn")
    assert warnings == ["tiny/seed-3: collapse: 3 of 8 modes are left at iteration 10"]
    assert results.status == "finished"


def test_a_loss_of_modes_stops_the_run_if_the_spec_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = collapsing(tmp_path, monkeypatch, "stop")[0].outcomes[3]
    assert (outcome.status, outcome.iteration) == ("failed", 10)
    assert outcome.error == "CollapseError: 3 of 8 modes are left at iteration 10; evaluation.collapse is stop"


class Watcher:
    """An observer that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        self.told.append(f"started {run.name}")

    @hookimpl
    def allmodes_metrics_logged(self, iteration: int, metrics: Mapping[str, float]) -> None:
        self.told.append(f"{iteration} {sorted(metrics)[0].partition('/')[0]}")

    @hookimpl
    def allmodes_samples_drawn(self, iteration: int, figure: Path) -> None:
        assert figure.is_file()
        self.told.append(f"{iteration} picture")

    @hookimpl
    def allmodes_run_finished(self, outcome: Outcome) -> None:
        self.told.append(outcome.status)


class Settings:
    """An observer that notes how torch computes."""

    @hookimpl
    def allmodes_run_started(self) -> None:
        self.seen = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()


def test_threads_and_deterministic_algorithms_hold_for_the_run_and_no_longer(tmp_path: Path) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    settings = Settings()
    experiment = tiny(tmp_path, training={**SPEC["training"], "threads": 3, "deterministic": True})
    experiment.observers = {"settings": settings}
    assert experiment.run().status == "finished"
    assert settings.seen == (3, True)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


class Broken:
    """An observer that fails."""

    @hookimpl
    def allmodes_metrics_logged(self, run: Run) -> None:
        raise OSError("disk full")


def test_observers_are_notified_in_order_and_a_failing_one_stops_nothing(tmp_path: Path) -> None:
    warnings: list[str] = []
    watcher = Watcher()
    experiment = tiny(tmp_path, evaluation=PICTURED)
    experiment.observers, experiment.warn = {"broken": Broken(), "watcher": watcher}, warnings.append
    experiment.run()
    assert watcher.told == [
        "started tiny/seed-3", "1 time", "5 time", "10 time", "10 eval", "10 picture", "15 time", "20 time", "20 eval",
        "20 picture", "finished",
    ]  # fmt: skip
    assert warnings[0] == "metrics_logged of observer 'broken' (tests.test_experiment): OSError: disk full"
    experiment.run()
    assert len(watcher.told) == 22


def test_an_interrupt_finishes_the_turn_saves_and_leaves_later_seeds_alone(tmp_path: Path) -> None:
    training = {**SPEC["training"], "iterations": 10**9}
    experiment = tiny(tmp_path, training=training)
    threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    results = experiment.run([0, 1])
    assert list(results.outcomes) == [0]
    assert results.outcomes[0].status == "killed"
    assert results.outcomes[0].iteration > 0
    assert load_run(results.folder).sample(3).shape == (3, 2)


def test_a_terminated_process_saves_and_ends_as_killed(tmp_path: Path) -> None:
    spec = {**SPEC, "training": {**SPEC["training"], "iterations": 10**9}}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    command = [sys.executable, "-m", "allmodes", "run", "spec.json", "--no-tracking"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("runs/*/seed-3/metrics.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.2)
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert "tiny: killed" in out
    (folder,) = tmp_path.glob("runs/*")
    assert load_results(folder)[3].status == "killed"


LOOP = """
import signal
from allmodes import Experiment, hookimpl

class Ending:
    @hookimpl
    def allmodes_metrics_logged(self, iteration, metrics):
        signal.raise_signal(signal.SIGTERM)  # a group and its process may both be told
        signal.raise_signal(signal.SIGTERM)

try:
    for i in range(3):
        print("begins", i, flush=True)
        changes = ["training.iterations=3000", "evaluation.figure=false", "training.threads=1"]
        Experiment.from_recipe("gan/ring", changes, track=False, observers={"ending": Ending()}).run([0])
        print("goes on")
finally:
    print("cleans up")
"""


def test_a_script_that_is_terminated_ends_after_it_has_saved(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", LOOP], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.splitlines()) == (143, ["begins 0", "cleans up"]), done.stderr
    (folder,) = tmp_path.glob("runs/*")
    assert load_results(folder)[0].status == "killed"
    assert load_run(folder).sample(3).shape == (3, 2)


AGAIN = """
import signal
from allmodes import Experiment, hookimpl

class Warning:
    @hookimpl
    def allmodes_metrics_logged(self, iteration, metrics):
        signal.raise_signal(signal.SIGUSR1)

changes = ["training.iterations=3000", "evaluation.figure=false", "training.threads=1"]
Experiment.from_recipe("gan/ring", changes, track=False, observers={"warning": Warning()}).run([0])
"""


def test_a_signal_of_the_environment_saves_and_ends_with_75(tmp_path: Path) -> None:
    environment = {**os.environ, "ALLMODES_SIGNALS": "USR1, sigusr2"}
    words = [sys.executable, "-c", AGAIN]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 75, done.stderr
    (folder,) = tmp_path.glob("runs/*")
    assert load_results(folder)[0].status == "killed"


@pytest.mark.parametrize("name", ["USR9", "KILL", "SIGSTOP", "12"])
def test_a_signal_of_the_environment_that_is_none(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLMODES_SIGNALS", name)
    message = f"ALLMODES_SIGNALS: '{name}' is no signal that can be heard here: give names such as USR1,USR2"
    with pytest.raises(VariableError, match=f"^{message}$"):
        tiny(tmp_path).run()


class Raising:
    """An observer that sends a signal when the first numbers come."""

    def __init__(self, number: int) -> None:
        self.number = number

    @hookimpl
    def allmodes_metrics_logged(self, iteration: int, metrics: Mapping[str, float]) -> None:
        signal.raise_signal(self.number)


def test_the_sigterm_handler_of_a_program_is_called_after_everything_is_saved(tmp_path: Path) -> None:
    told: list[bool] = []
    experiment = tiny(tmp_path)
    experiment.observers = {"raising": Raising(signal.SIGTERM)}
    before = signal.signal(signal.SIGTERM, lambda *_: told.append(bool(list(tmp_path.glob("*/seed-3/results.json")))))
    try:
        assert experiment.run().status == "killed"
        assert told == [True]
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_whoever_gives_a_stop_looks_at_it(tmp_path: Path) -> None:
    experiment, stop = tiny(tmp_path), Stop()
    experiment.observers = {"raising": Raising(signal.SIGTERM)}
    assert experiment.run(stop=stop).status == "killed"
    assert (stop.asked, stop.terminated) == (True, True)
    with pytest.raises(SystemExit) as ended:
        stop.pass_on()
    assert ended.value.code == 143


def test_signals_are_handled_within_the_block_only() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with (stop := Stop()).listening():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.terminated
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_program_that_ignores_sigterm_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with (stop := Stop()).listening():
            signal.raise_signal(signal.SIGTERM)
        assert not stop.asked
        stop.pass_on()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_a_thread_nothing_is_handled_and_a_run_ends_as_usual(tmp_path: Path) -> None:
    before, statuses = signal.getsignal(signal.SIGTERM), list[str]()
    thread = threading.Thread(target=lambda: statuses.append(tiny(tmp_path).run().status))
    thread.start()
    thread.join(60)
    assert statuses == ["finished"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    folder = tiny(tmp_path).run().folder / "seed-3"
    (folder / "model" / "generator.safetensors").write_bytes(b"\x10")
    with pytest.raises(ModelError, match=r"generator\.safetensors is damaged"):
        load_run(folder)
    (folder / "model" / "model.json").write_text('{"format": 99}')
    with pytest.raises(ModelError) as error:
        load_run(folder)
    assert str(error.value).endswith(
        "has format 99; this version of allmodes reads formats 3 and 4: it may have been written by a newer one"
    )


def test_means_and_standard_errors_are_those_of_the_seeds(tmp_path: Path) -> None:
    outcomes = {seed: Outcome("finished", 1, 0.0, {"modes": m}) for seed, m in enumerate([20.0, 22.0, 27.0])}
    results = Results(tiny(tmp_path).spec, tmp_path, outcomes)
    assert results.mean("modes") == 23
    assert results.standard_error("modes") == pytest.approx(math.sqrt(13) / math.sqrt(3))


def test_relative_data_are_those_of_the_folder_in_which_the_experiment_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, first in (("mine", 0), ("other", 1000)):
        (tmp_path / name).mkdir()
        rows = "".join(f"{first + i},{i * i % 7}\n" for i in range(40))
        (tmp_path / name / "d.csv").write_text(f"a,b\n{rows}")
    monkeypatch.chdir(tmp_path / "mine")
    made = Experiment.from_spec(
        SPEC | {"data": {"kind": "csv", "path": "d.csv", "standardise": False}, "evaluation": {"metrics": []}},
        track=False,
    )
    monkeypatch.chdir(tmp_path / "other")
    assert made.data.x.max() < 1000
    assert made.spec.data.path == "d.csv", "a stored spec says what was written"
