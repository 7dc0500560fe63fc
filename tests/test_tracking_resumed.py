"""A run that goes on, or is measured again, stays one run in MLflow."""

from pathlib import Path
from typing import Any

import pytest

from allmodes import Experiment
from allmodes.cli import main as cli_main
from allmodes.testing.interrupted import InterruptingObserver
from allmodes.tracking import sync
from tiny import SPEC
from tracked import files, logged


def steps(client: Any, run: Any, key: str) -> list[int]:
    return [metric.step for metric in client.get_metric_history(run.info.run_id, key)]


def test_a_resumed_run_is_one_run_with_each_number_once_and_its_true_status(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    observers = {"interrupting": InterruptingObserver(15)}
    drawn = {**SPEC, "evaluation": {**SPEC["evaluation"], "figure": True}}
    results = Experiment.from_spec(drawn, folder=tmp_path / "runs", observers=observers).run()
    parent, (child,) = logged(client)
    assert (parent.info.status, child.info.status) == ("KILLED", "KILLED")
    Experiment.resume(results.folder, ["training.iterations=30"]).run()
    parent, (child,) = logged(client)
    assert (parent.info.status, child.info.status) == ("FINISHED", "FINISHED")
    assert steps(client, child, "train/generator/non_saturating") == [1, 5, 10, 15, 20, 25, 30]
    assert steps(client, child, "eval/modes") == [10, 20, 30]
    pictures = [name for name in files(client, child, "images") if name.endswith(".png")]
    assert len(pictures) == 3


def test_measuring_again_adds_to_the_run_and_leaves_its_status(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    folder = Experiment.from_spec(SPEC, folder=tmp_path / "runs").run().folder
    assert cli_main.execute(["evaluate", str(folder), "--metric", "wasserstein", "--samples", "32"]) == 0
    _, (child,) = logged(client)
    assert child.info.status == "FINISHED"
    assert steps(client, child, "eval/w1") == [20]
    assert cli_main.execute(["sync", str(folder)]) == 0
    assert logged(client)[1][0].info.status == "FINISHED"


def test_measuring_again_adds_to_a_tracked_run_whose_last_attempt_was_not_tracked(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    folder = Experiment.from_spec(SPEC, folder=tmp_path / "runs").run().folder
    Experiment.resume(folder, ["training.iterations=30"], track=False).run()
    for options in ([], ["--no-tracking"]):
        assert cli_main.execute(["evaluate", str(folder), "--metric", "modes", "--samples", "32", *options]) == 0
    _, (child,) = logged(client)
    assert steps(client, child, "eval/modes") == [10, 20, 30]
    assert steps(client, child, "train/generator/non_saturating")[-1] == 20


def test_a_run_whose_folder_was_renamed_stays_one_run_and_is_not_sent_again(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    folder = Experiment.from_spec(SPEC, folder=tmp_path / "runs").run().folder
    renamed = folder.rename(tmp_path / "kept")
    Experiment.resume(renamed, ["training.iterations=30"]).run()
    lines = list[str]()
    assert sync([renamed], None, lines.append, pytest.fail, pytest.fail) == 0
    assert lines == [f"{renamed / 'seed-3'}: nothing is left to send"]
    _, (child,) = logged(client)
    assert steps(client, child, "eval/modes") == [10, 20, 30]
