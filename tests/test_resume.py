"""An interrupted run goes on as if it had never stopped, and nothing that can happen to its files loses it."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allmodes import DataError, Experiment, ModelError, Registry, Results, SpecError, load_run
from allmodes.data import blocks
from allmodes.models import checkpoints
from allmodes.runs.run import RunError
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading
from allmodes.specs.source import SpecSource
from allmodes.testing.interrupted import InterruptingObserver, equal_runs, first_seed, read_tensors
from tiny import SPEC

FIXTURES = Path(__file__).parent / "fixtures"
ADAM = {
    "kind": "adam",
    "lr": {"start": 1e-3, "end": 1e-4, "over": 30},
    "betas": [0.5, {"start": 0.9, "end": 0.99, "over": 20}],
}
MLP = {"kind": "mlp", "hidden": [8]}

FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "a game with a penalty, a moving average and schedules": {
        "training": {"ema": {"decay": {"start": 0.0, "end": 0.9, "over": 20}}, "optimizer": ADAM},
    },
    "images, batch norm and epochs": {
        "data": {"kind": "digits"},
        "generator": {"kind": "dcgan", "channels": 4},
        "discriminator": {"kind": "dcgan", "channels": 4},
        "losses": [{"kind": "non_saturating"}],
        "training": {"batch_size": 150},
        "evaluation": {"metrics": ["class_coverage"]},
    },
    "packing, dropout, several turns and a gradient penalty": {
        "discriminator": {"kind": "mlp", "hidden": [8], "pack": 2, "dropout": 0.3},
        "losses": [{"kind": "wasserstein"}, {"kind": "gradient_penalty", "every": 2}],
        "training": {"discriminator_updates": 3},
    },
    "a relativistic game in bfloat16 whose penalty begins late": {
        "losses": [{"kind": "relativistic"}, {"kind": "r1", "start": 7}, {"kind": "r2"}],
        "training": {"optimizers": {"generator": {"kind": "sgd", "momentum": 0.9}}, "precision": "bfloat16"},
    },
    "a joint discriminator, its auxiliary and one simultaneous turn": {
        "prior": {"kind": "gaussian", "dim": 4, "nuisance_dim": 1},
        "discriminator": {"kind": "mlp", "hidden": [8], "joint": "reconstructor"},
        "auxiliaries": {"reconstructor": {"kind": "veegan.reconstructor", "network": MLP}},
        "losses": [{"kind": "veegan.game"}, {"kind": "veegan.code_reconstruction"}],
        "training": {"schedule": "simultaneous"},
    },
}


def spec_of(family: Mapping[str, Any], **training: Any) -> dict[str, Any]:
    own = {key: value for key, value in family.items() if key not in ("training", "evaluation")}
    base = {**SPEC["training"], "iterations": 24, "log_every": 1, "checkpoints": {"every": 5}}
    evaluation = {"every": 8, "samples": 32, "figure": False, "metrics": ["modes"]}
    return {
        **SPEC, **own, "training": {**base, **family.get("training", {}), **training},
        "evaluation": {**evaluation, **family.get("evaluation", {})},
    }  # fmt: skip


def experiment(folder: Path, **training: Any) -> Experiment:
    return Experiment.from_spec(spec_of({}, **training), folder=folder, track=False)


def weights_of(results: Results) -> dict[str, torch.Tensor]:
    return read_tensors(first_seed(results))


def assert_equal_runs(one: Results, other: Results) -> None:
    assert equal_runs(first_seed(one), first_seed(other))
    assert one.outcomes[3].iteration == other.outcomes[3].iteration


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=2, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cuts=st.frozensets(st.integers(1, 23), min_size=1, max_size=2))
def test_a_run_that_was_interrupted_anywhere_equals_one_that_was_not(
    name: str, cuts: frozenset[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    spec = spec_of(FAMILIES[name])
    unbroken = Experiment.from_spec(spec, folder=folder / "unbroken", track=False).run()
    observers = {"interrupting": InterruptingObserver(*cuts)}
    results = Experiment.from_spec(spec, folder=folder / "broken", track=False, observers=observers).run()
    while results.status == "killed":
        results = Experiment.resume(results.folder, track=False, observers=observers).run()
    assert_equal_runs(results, unbroken)


def test_a_run_on_streamed_vectors_goes_on_with_the_next_batch_and_keeps_their_units(tmp_path: Path) -> None:
    rows = torch.randn(100, 3, generator=torch.Generator().manual_seed(0)) * 5 + 7
    np.save(tmp_path / "rows.npy", rows.numpy())
    data = {"kind": "arrays", "path": str(tmp_path / "rows.npy"), "memory": "stream", "workers": 1}
    spec = spec_of({"data": data, "evaluation": {"metrics": ["wasserstein"], "samples": 10}})
    unbroken = Experiment.from_spec(spec, folder=tmp_path, track=False).run()
    observers = {"interrupting": InterruptingObserver(4, 17)}
    results = Experiment.from_spec(spec, folder=tmp_path, track=False, observers=observers).run()
    while results.status == "killed":
        results = Experiment.resume(results.folder, ["data.memory=resident"], observers=observers).run()
    assert_equal_runs(results, unbroken)
    units = load_run(results.folder).units
    assert units is not None
    torch.testing.assert_close(torch.tensor(units.mean), rows.mean(0), atol=0.8, rtol=0)


def test_a_run_trained_longer_equals_one_that_was_meant_to_be_long(tmp_path: Path) -> None:
    short = experiment(tmp_path, iterations=12).run()
    longer = Experiment.resume(short.folder, ["training.iterations=24"]).run()
    long = experiment(tmp_path).run()
    assert all(torch.equal(value, weights_of(long)[name]) for name, value in weights_of(longer).items())
    page = json.loads((longer.folder / "seed-3" / "run.json").read_text())
    assert (page["resumed"], page["tracked"]) == (1, False)


def test_a_run_trained_longer_than_its_rate_lasts_is_warned_about(tmp_path: Path) -> None:
    fading = {"kind": "adam", "lr": {"start": 1e-3, "end": 0, "over": 20}}
    folder = experiment(tmp_path, iterations=20, optimizer=fading).run().folder
    said = "the rate is 0 from iteration 20 on: the 1,010 iterations after it train nothing by it"
    with pytest.warns(UserWarning, match=rf": training\.optimizer\.lr: {said}$") as told:
        Experiment.resume(folder, ["training.iterations=1030"], track=False)
    assert len(told) == 1


def test_seeds_that_had_not_begun_are_trained_and_those_that_ended_are_not(tmp_path: Path) -> None:
    observers = {"interrupting": InterruptingObserver(9)}
    spec = {**spec_of({}), "seeds": [3, 4]}
    results = Experiment.from_spec(spec, folder=tmp_path, track=False, observers=observers).run()
    assert list(results.outcomes) == [3]
    warnings: list[str] = []
    resumed = Experiment.resume(results.folder, warn=warnings.append).run()
    assert [outcome.status for outcome in resumed.outcomes.values()] == ["finished", "finished"]
    assert warnings == []
    longer = Experiment.resume(results.folder / "seed-3", ["training.iterations=30"]).run()
    assert {seed: outcome.iteration for seed, outcome in longer.outcomes.items()} == {3: 30, 4: 24}


def test_what_would_make_it_another_run_is_refused_with_what_differs(tmp_path: Path) -> None:
    folder = experiment(tmp_path).run().folder
    with pytest.raises(SpecError) as error:
        Experiment.resume(folder, ["training.batch_size=4", "prior.dim=3", "training.log_every=2"])
    rest = "it decides what is trained, so a resumed run keeps it; start a new run for another value"
    assert str(error.value).splitlines() == [
        f"prior.dim is 2 in {folder} and would be 3: {rest}",
        f"training.batch_size is 8 in {folder} and would be 4: {rest}",
    ]


def test_resuming_a_finished_run_is_an_error_that_shows_how_to_train_on(tmp_path: Path) -> None:
    folder = experiment(tmp_path).run().folder
    with pytest.raises(SpecError) as error:
        Experiment.resume(folder)
    more = "to train on, set more, such as --set training.iterations=48"
    assert str(error.value) == f"{folder} is finished at iteration 24: {more}"
    with pytest.raises(SpecError) as error:
        Experiment.resume(folder, ["training.iterations=10"])
    assert str(error.value) == f"{folder} is at iteration 24 already: set training.iterations to 24 or more"
    with pytest.raises(SpecError) as error:
        Experiment.resume(tmp_path)
    assert str(error.value) == f"{tmp_path}: no run to resume there: give the folder that `allmodes run` printed"


def interrupted(tmp_path: Path, at: int = 13) -> Path:
    """A run's folder with checkpoints at iterations 10 and `at`."""
    observers = {"interrupting": InterruptingObserver(at)}
    return Experiment.from_spec(spec_of({}), folder=tmp_path, track=False, observers=observers).run().folder


def names(folder: Path) -> list[str]:
    return [path.name for path in RunFolder(folder / "seed-3").checkpoints]


def test_the_last_checkpoints_and_the_best_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = iter([3.0, 8.0, 8.0, 8.0])
    monkeypatch.setattr("allmodes.metrics.Modes.compute", lambda self, evaluation: {"modes": next(found)})
    running = experiment(tmp_path, iterations=30, checkpoints={"every": 5, "keep": 2, "best": "modes"})
    running.resources.__dict__["floors"] = {}
    folder = running.run().folder
    assert names(folder) == ["00000030", "00000025", "00000016"]
    assert checkpoints.find_checkpoint(RunFolder(folder / "seed-3"), "best").name == "00000016"
    assert load_run(folder, checkpoint="best").iteration == 16
    with pytest.raises(ModelError) as error:
        load_run(folder, checkpoint="7")
    known = "there are best, last, and iterations 16, 25, 30"
    assert str(error.value) == f"{folder / 'seed-3'} has no checkpoint '7': {known}"


def test_a_slow_run_is_saved_by_the_clock(tmp_path: Path) -> None:
    folder = experiment(tmp_path, checkpoints={"every": 1000, "minutes": 1e-9, "keep": 3}).run().folder
    assert names(folder) == ["00000024", "00000023", "00000022"]


def test_a_best_metric_that_nobody_measures_is_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        experiment(tmp_path, checkpoints={"best": "mode"})
    assert str(error.value) == (
        "spec: training.checkpoints.best: 'mode' is not a number of this spec's metrics that has a best value "
        "(did you mean 'modes'?): there are modes, high_quality, kl"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file", ["state.pt", "generator.safetensors", "model.json"])
def test_a_checkpoint_cut_short_is_passed_over_for_the_one_before(file: str, tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    assert names(folder) == ["00000013", "00000010"]
    damaged = RunFolder(folder / "seed-3").checkpoints[0] / file
    damaged.write_bytes(damaged.read_bytes()[:-7])
    warnings: list[str] = []
    results = Experiment.resume(folder, warn=warnings.append).run()
    assert len(warnings) == 1
    assert warnings[0].startswith(f"checkpoint 00000013 is passed over: {damaged}")
    assert_equal_runs(results, experiment(tmp_path).run())


def test_a_run_without_any_readable_checkpoint_starts_again_with_a_warning(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    shutil.rmtree(folder / "seed-3" / "checkpoints")
    warnings: list[str] = []
    results = Experiment.resume(folder, warn=warnings.append).run()
    assert warnings == ["tiny/seed-3 has no checkpoint that can be read: it starts from the beginning"]
    assert_equal_runs(results, experiment(tmp_path).run())


class Harmful:
    """Pickled, it would write a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def test_a_checkpoint_that_holds_code_runs_nothing(tmp_path: Path) -> None:
    folder, mark = interrupted(tmp_path), tmp_path / "mark"
    newest, before = RunFolder(folder / "seed-3").checkpoints
    torch.save({"loop": Harmful(mark)}, newest / "state.pt")
    (before / "state.pt").write_bytes(b"cos\nsystem\n(S'touch %s'\ntR." % str(mark).encode())
    warnings: list[str] = []
    Experiment.resume(folder, warn=warnings.append).run()
    assert [warning.partition(": ")[2] for warning in warnings[:2]] == [
        f"{path / 'state.pt'} is damaged, or holds more than plain data" for path in (newest, before)
    ]
    assert not mark.exists()


def test_a_disk_that_takes_no_checkpoint_costs_warnings_and_not_the_run(tmp_path: Path) -> None:
    warnings: list[str] = []
    running = experiment(tmp_path)
    running.warn = warnings.append
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))  # the state of a checkpoint is larger
    try:
        results = running.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert warnings[0] == "tiny/seed-3: no checkpoint at iteration 5: File too large"
    assert results.status == "finished"
    assert results.outcomes[3].iteration == 24
    assert names(results.folder) == []
    assert not list((results.folder / "seed-3" / "checkpoints").glob(".*"))


def test_weights_that_are_no_longer_finite_are_never_saved(tmp_path: Path) -> None:
    training = {"optimizer": {"kind": "sgd", "lr": 1e30}, "log_every": 1000, "checkpoints": {"every": 3}}
    outcome = experiment(tmp_path, **training).run().outcomes[3]
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert "no longer finite at iteration" in outcome.error
    assert names(next(tmp_path.iterdir())) == []


def test_other_data_are_not_taken_for_those_of_the_run(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    page = folder / "seed-3" / "run.json"
    facts = json.loads(page.read_text())
    page.write_text(json.dumps({**facts, "data": {**facts["data"], "fingerprint": "0" * 16}}))
    with pytest.raises(DataError) as error:
        Experiment.resume(folder).run()
    then, now = f"fingerprint {'0' * 16}", f"these have {facts['data']['fingerprint']}"
    assert str(error.value) == f"data: {folder / 'seed-3'} was trained on other data ({then}, {now})"


def test_a_folder_that_another_process_trains_in_is_left_alone(tmp_path: Path) -> None:
    folder = interrupted(tmp_path)
    hold = "import sys, time; from pathlib import Path; from allmodes.runs.lock import lock_folder\n"
    hold += "with lock_folder(Path(sys.argv[1])): print(1, flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", hold, str(folder / "seed-3")], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(RunError) as error:
            Experiment.resume(folder).run()
        way_out = "wait until it has ended, or end it"
        assert str(error.value) == f"{folder / 'seed-3'} is being trained by another process: {way_out}"
    finally:
        holder.kill()
        holder.communicate()
    assert Experiment.resume(folder).run().status == "finished"


def test_a_resume_checks_the_spec_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, sources = interrupted(tmp_path), list[str]()

    def check(source: SpecSource, registry: Registry, original: Any = loading.check_again) -> Any:
        sources.append(source.name)
        return original(source, registry)

    monkeypatch.setattr(loading, "check_again", check)
    assert Experiment.resume(folder, track=False).run().status == "finished"
    assert sources == [str(folder / "spec.yaml")]


def test_a_run_of_an_older_version_samples_exports_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written by commit 4c109a7: its pages have neither digests nor the spec that the run began with."""
    older = Path(shutil.copytree(FIXTURES / "run-of-4c109a7", tmp_path / "older" / "seed-3"))
    samples = load_run(older).sample(2)
    expected = torch.tensor([[-0.6435057, -1.3500772], [-0.4261806, -1.0080181]])
    torch.testing.assert_close(samples, expected, atol=1e-6, rtol=1e-5)
    assert torch.equal(load_run(load_run(older).export(tmp_path / "exported")).sample(2), samples)
    resumed = Experiment.resume(older).run()
    monkeypatch.setattr(blocks, "BATCHES", 1)  # as it drew them: its run goes on so
    fresh = Experiment.from_recipe(str(older), folder=tmp_path, track=False).run()
    for name, value in weights_of(fresh).items():
        torch.testing.assert_close(weights_of(resumed)[name], value)
