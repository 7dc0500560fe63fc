"""Runs reach MLflow whole and with their true status."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from allmodes.runs.run import Outcome
from allmodes.tracking import default_store
from allmodes_schemas import TrainingConfig
from tracked import FINISHED, Training, files, logged, picture, runs_in

TABLE = "| metric | model | real data |\n|---|---:|---:|\n"


def test_an_experiment_is_one_parent_with_a_named_child_per_seed(
    observer: Training, client: Any, tmp_path: Path
) -> None:
    for run in runs_in(tmp_path, 3, 7):
        observer.allmodes_run_started(run)
        observer.allmodes_run_finished(run, FINISHED)
    observer.close()
    parent, children = logged(client)
    assert parent.info.run_name == "dots-and-bells"
    assert [child.info.run_name for child in children] == ["dots-and-bells/seed-3", "dots-and-bells/seed-7"]


def test_parent_and_child_describe_the_run(observer: Training, client: Any, tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 7)
    observer.allmodes_run_started(run)
    observer.close()
    parent, (child,) = logged(client)
    tags = {
        "allmodes.spec": "dots-and-bells",
        "allmodes.experiment": "20261122-abc",
        "allmodes.game": "duel",
        "allmodes.prior": "bell",
        "allmodes.data": "dots",
        "allmodes.device": "cpu",
        "allmodes.rerunnable": "true",
        "plugin.allmodes-dots": "0.3",
    }
    params = {"losses.1.weight": "2.0", "generator.hidden.0": "8", "data.side": "5"}
    for logged_run in (parent, child):
        assert logged_run.data.tags.items() >= tags.items()
        assert logged_run.data.params.items() >= params.items()
        assert "Data `dots`, prior `bell`, losses `toll`, `duel`." in logged_run.data.tags["mlflow.note.content"]
        assert len(logged_run.data.params["generator.note"]) == 6000
        assert files(client, logged_run) == ["spec.yaml"]
        (given,) = logged_run.inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == ("dots", "sha256:" + "f" * 29)
        assert {tag.key: tag.value for tag in given.tags} == {"mlflow.data.context": "training"}
    assert child.data.tags["allmodes.seed"] == "7"
    assert child.data.params["seeds.0"] == "7"
    assert "seeds.0" not in parent.data.params


def test_numbers_and_pictures_keep_their_steps(observer: Training, client: Any, tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 0)
    observer.allmodes_run_started(run)
    for iteration in range(0, 3000, 2):
        observer.allmodes_metrics_logged(run, iteration, {"train/generator": iteration / 10, "eval/odd (%)": 1.0})
    observer.allmodes_metrics_logged(run, 3000, {"train/generator": float("nan")})
    figure = picture(tmp_path / "samples.png")
    for iteration in (10, 20):
        observer.allmodes_samples_drawn(run, iteration, figure)
    observer.close()
    _, (child,) = logged(client)
    history = client.get_metric_history(child.info.run_id, "train/generator")
    assert sorted(point.step for point in history) == list(range(0, 3001, 2))
    assert {point.step: point.value for point in history}[20] == 2.0
    assert len(client.get_metric_history(child.info.run_id, "eval/odd ___")) == 1500
    pictures = [name for name in files(client, child, "images") if name.endswith(".png")]
    assert [name.split("+timestamp")[0] for name in sorted(pictures)] == [
        "images/samples+step+10",
        "images/samples+step+20",
    ]
    assert child.data.tags["mlflow.loggedImages"] == "True"


def test_a_finished_experiment_has_final_values_floors_and_the_mean_over_seeds(
    observer: Training, client: Any, tmp_path: Path
) -> None:
    first, second = runs_in(tmp_path, 0, 1)
    (first.folder / "model").mkdir()
    (first.folder / "model" / "generator.safetensors").write_bytes(b"weights")
    (first.folder / "results.json").write_text("{}")
    for run, modes in ((first, 24.0), (second, 22.0)):
        observer.allmodes_run_started(run)
        observer.allmodes_run_finished(run, replace(FINISHED, results={"modes": modes}))
    observer.close()
    parent, children = logged(client)
    assert [child.data.metrics for child in children] == [
        {"modes": 24.0, "floor/modes": 25.0},
        {"modes": 22.0, "floor/modes": 25.0},
    ]
    history = client.get_metric_history(parent.info.run_id, "modes")
    assert [(point.step, point.value) for point in history] == [(1, 24.0), (2, 23.0)]
    assert parent.data.metrics == {"modes": 23.0, "modes_se": 1.0, "floor/modes": 25.0}
    assert parent.data.tags["mlflow.note.content"].startswith(
        f"{TABLE}| modes | 23.0 ± 1.0 | 25 |\n\n### What was run\n\n"
    )
    assert (
        children[0].data.tags["mlflow.note.content"].startswith(f"{TABLE}| modes | 24 | 25 |\n\n### What was run\n\n")
    )
    assert parent.data.tags["allmodes.seeds"] == "0, 1"
    assert files(client, children[0]) == ["model", "results.json", "spec.yaml"]
    assert "model/generator.safetensors" in files(client, children[0], "model")
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert all(run.info.start_time <= run.info.end_time for run in (parent, *children))


@pytest.mark.parametrize(("status", "shown"), [("failed", "FAILED"), ("killed", "KILLED")])
def test_a_run_that_did_not_finish_and_its_experiment_have_its_status(
    observer: Training, client: Any, tmp_path: Path, status: Literal["failed", "killed"], shown: str
) -> None:
    first, second = runs_in(tmp_path, 0, 1)
    observer.allmodes_run_started(first)
    observer.allmodes_run_finished(first, Outcome(status, 5, 1.0, error="e" * 6000, engine="stacked"))
    observer.allmodes_run_started(second)
    observer.allmodes_run_finished(second, FINISHED)
    observer.close()
    parent, children = logged(client)
    assert [run.info.status for run in (parent, *children)] == [shown, shown, "FINISHED"]
    assert children[0].data.tags["allmodes.error"] == "e" * 5000
    assert children[0].data.tags["allmodes.engine"] == "stacked"
    assert "allmodes.engine" not in children[1].data.tags


def test_an_experiment_runs_until_its_last_seed_ended(observer: Training, client: Any, tmp_path: Path) -> None:
    first, _ = runs_in(tmp_path, 0, 1)
    observer.allmodes_run_started(first)
    observer.allmodes_run_finished(first, FINISHED)
    observer.close()
    parent, (child,) = logged(client)
    assert (parent.info.status, child.info.status) == ("RUNNING", "FINISHED")


def test_seeds_of_different_processes_share_their_parent(store: str, client: Any, tmp_path: Path) -> None:
    for run in runs_in(tmp_path, 0, 1):
        observer = Training(store)
        observer.allmodes_run_started(run)
        observer.allmodes_run_finished(run, FINISHED)
        observer.close()
    parent, children = logged(client)
    assert len(children) == 2
    assert parent.info.status == "FINISHED"


def test_a_resumed_run_goes_on_where_it_was_logged_though_its_settings_changed(
    store: str, client: Any, tmp_path: Path, warnings: list[str]
) -> None:
    (run,) = runs_in(tmp_path, 0)
    for iteration, outcome in ((1, replace(FINISHED, status="killed")), (2, FINISHED)):
        longer = run.spec.model_copy(update={"training": TrainingConfig(iterations=1000 * iteration)})
        run = replace(run, spec=longer)
        observer = Training(store, warnings.append)
        observer.allmodes_run_started(run)
        observer.allmodes_metrics_logged(run, iteration, {"train/generator": 1.0})
        observer.allmodes_run_finished(run, outcome)
        observer.close()
    assert warnings == []
    parent, (child,) = logged(client)
    assert json.loads((run.folder / "mlflow.json").read_text()) == {
        "run_id": child.info.run_id,
        "parent_run_id": parent.info.run_id,
        "tracking_uri": store,
        "experiment_id": child.info.experiment_id,
        "sent": (run.folder / "metrics.jsonl").stat().st_size,
        "run": "20261122-abc/dots-and-bells/seed-0",
    }
    assert [point.step for point in client.get_metric_history(child.info.run_id, "train/generator")] == [1, 2]
    assert (parent.info.status, child.info.status) == ("FINISHED", "FINISHED")


def test_artifacts_lie_beside_the_database_in_the_experiment_of_the_environment(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "elsewhere")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    observer = Training()
    (run,) = runs_in(tmp_path, 0)
    observer.allmodes_run_started(run)
    observer.close()
    _, (child,) = logged(client, "elsewhere")
    assert (tmp_path / "mlartifacts" / child.info.run_id / "artifacts" / "spec.yaml").exists()


def test_the_store_is_a_file_in_the_working_folder_unless_the_environment_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert default_store() == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example")
    assert default_store() == "http://tracking.example"


def test_a_picture_that_cannot_be_read_costs_one_warning_and_no_numbers(
    store: str, client: Any, tmp_path: Path, warnings: list[str]
) -> None:
    (run,) = runs_in(tmp_path, 0)
    observer = Training(store, warnings.append)
    damaged = picture(tmp_path / "damaged.png")
    damaged.write_bytes(damaged.read_bytes()[:50])
    observer.allmodes_run_started(run)
    for figure in (damaged, tmp_path / "missing.png", picture(tmp_path / "samples.png")):
        observer.allmodes_samples_drawn(run, 1, figure)
    observer.allmodes_metrics_logged(run, 1, {"train/generator": 1.0})
    observer.close()
    _, (child,) = logged(client)
    assert warnings == [f"MLflow: {damaged} is left out, since it cannot be read as a PNG. The rest is tracked."]
    assert child.data.metrics == {"train/generator": 1.0}
    assert len([name for name in files(client, child, "images") if name.endswith(".png")]) == 1


def test_importing_the_module_does_not_import_mlflow() -> None:
    code = "import sys, allmodes.tracking; assert not {'mlflow', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_database_created_by_two_processes_at_once_is_whole_without_output(
    opened_together: tuple[Path, str],
) -> None:
    file, said = opened_together
    assert said == ""
    assert {path.name for path in file.parent.iterdir()} <= {"mlflow.db", "mlartifacts"}  # no copy half made is left


def test_a_process_that_ends_early_loses_nothing(store: str, client: Any, tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from tracked import *
(run,) = runs_in(Path({str(tmp_path)!r}), 0)
observer = Training({store!r})
observer.allmodes_run_started(run)
observer.allmodes_metrics_logged(run, 5, {{"train/generator": 1.0}})
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
    _, (child,) = logged(client)
    assert child.data.metrics == {"train/generator": 1.0}
