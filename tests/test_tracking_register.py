"""Registering the best model of a run in MLflow's registry, once."""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from allmodes import Experiment, installed, load_run
from allmodes.cli import main as cli_main
from allmodes.tracking import TrackingError, register
from tiny import SPEC
from tracked import logged

SEEDED = SPEC | {
    "evaluation": {**SPEC["evaluation"], "metrics": ["wasserstein"]},
    "training": {**SPEC["training"], "checkpoints": {"every": 10, "best": "w1"}},
}


@pytest.fixture
def trained(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a tracked experiment of two seeds."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(tmp_path)
    return Experiment.from_spec(SEEDED, folder=Path("runs")).run([0, 1]).folder


def w1(run: Path) -> float:
    return float(json.loads((run / "results.json").read_text())["results"]["w1"])


def test_the_best_seed_is_registered_once_and_draws_its_samples(trained: Path, client: Any) -> None:
    best = min(("seed-0", "seed-1"), key=lambda name: w1(trained / name))
    first, second = (register(trained, "ring", installed()) for _ in range(2))
    said = f"{best} at iteration 20, the best of 2 (w1 "
    assert str(first).startswith(f"ring version 1: {said}")
    assert str(second).startswith(f"ring version 1, as before: {said}")
    (version,) = client.search_model_versions("name = 'ring'")
    runs = {f"seed-{run.data.tags['allmodes.seed']}": run.info.run_id for run in logged(client)[1]}
    model = client.get_logged_model(first.chosen.model_id)
    assert (version.run_id, version.source) == (runs[best], model.artifact_location)
    tag = model.tags["mlflow.modelVersions"]
    assert json.loads(tag) == [{"name": "ring", "version": "1"}]
    ours = load_run(trained / best).sample(5).numpy()
    np.testing.assert_array_equal(mlflow.pyfunc.load_model("models:/ring/1").predict(5), ours)
    np.testing.assert_array_equal(load_run("models:/ring/1").sample(5).numpy(), ours)


def test_a_checkpoint_and_the_number_that_decides_are_chosen(trained: Path) -> None:
    assert register(trained, "ring", installed(), "10").chosen.iteration == 10
    best = register(trained / "seed-0", "ring", installed(), "best", "w1")
    assert (best.chosen.run, best.candidates) == ("seed-0", 1)
    assert "best" in best.chosen.role


def test_what_cannot_be_registered_is_said(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = trained.name
    with pytest.raises(TrackingError) as error:
        register(trained, "ring", installed(), "15")
    assert str(error.value).startswith(
        f"no model of runs/{name} in MLflow is that of checkpoint 15: there are seed-0 10 ("
    )
    with pytest.raises(TrackingError) as error:
        register(trained, "ring", installed(), by="modes")
    assert str(error.value) == "--by modes: not a number of this spec that is good when high or low: w1"
    for page in trained.glob("*/mlflow.json"):
        page.unlink()
    with pytest.raises(TrackingError) as error:
        register(trained, "ring", installed())
    assert str(error.value) == f"runs/{name} has no model in MLflow yet: `allmodes sync runs/{name}` sends it"
    spec = Path("spec.json")
    spec.write_text(json.dumps(SEEDED))
    assert cli_main.execute(["run", "spec.json", "--register", "a/b"]) == 2
    assert cli_main.execute(["run", "spec.json", "--register", "ring", "--no-tracking"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: 'a/b' cannot be the name of a registered model: take letters, digits, - and _",
        "error: --register needs MLflow: leave out --no-tracking",
    ]
    assert list(Path("runs").iterdir()) == [Path("runs") / name]


def test_run_registers_what_it_trained(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(tmp_path)
    Path("spec.json").write_text(json.dumps(SEEDED))
    assert cli_main.execute(["run", "spec.json", "--register", "tiny-ring", "--quiet"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith("model    tiny-ring version 1: seed-3 at iteration 20 (w1 ") for line in said)
    assert [version.name for version in client.search_model_versions()] == ["tiny-ring"]
