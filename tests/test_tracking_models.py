"""Checkpoints and ends of runs are logged models of MLflow, each once, which a search orders as they were measured."""

import csv
import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

from allmodes import Experiment, compare, load_run
from allmodes.tracking import sync
from allmodes.tracking.kept import find
from tiny import SPEC
from tracked import logged

KEEPING = SPEC | {
    "training": {**SPEC["training"], "iterations": 50, "checkpoints": {"every": 10, "keep": 2, "best": "w1"}},
    "evaluation": {**SPEC["evaluation"], "metrics": ["modes", "wasserstein"]},
}


@pytest.fixture
def trained(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a tracked run that keeps two checkpoints and the best."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    return Experiment.from_spec(KEEPING, folder=tmp_path / "runs").run().folder / "seed-3"


def models(client: Any, by: str = "", ascending: bool = True) -> list[Any]:
    experiment = client.get_experiment_by_name("allmodes").experiment_id
    order = [{"field_name": f"metrics.{by}", "ascending": ascending}] if by else None
    return list(client.search_logged_models([experiment], order_by=order))


def iterations(found: list[Any]) -> list[int]:
    return [int(model.tags["allmodes.iteration"]) for model in found]


def measured(run: Path, name: str) -> dict[int, float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {line["iteration"]: line[name] for line in lines if name in line}


def test_a_search_orders_the_checkpoints_of_a_run_as_they_were_measured(trained: Path, client: Any) -> None:
    w1 = measured(trained, "eval/w1")
    folders = [int(path.name) for path in (trained / "checkpoints").iterdir()]
    best = min(w1, key=lambda iteration: w1[iteration])
    assert set(folders) == {40, 50, best}
    found = models(client, by="w1")
    assert iterations(found) == sorted(folders, key=lambda iteration: w1[iteration])
    assert iterations(found)[0] == best
    for model in found:
        iteration = int(model.tags["allmodes.iteration"])
        for metric in model.metrics:
            assert metric.value == measured(trained, f"eval/{metric.key}")[iteration]
        assert {metric.key for metric in model.metrics} >= {"modes", "high_quality", "w1"}
    why = dict(zip(iterations(found), [model.tags["allmodes.role"] for model in found], strict=True))
    assert why[50] == ("end, best" if best == 50 else "end")
    assert "best" in why[best]


def test_a_logged_model_names_its_run_and_its_data_set(trained: Path, client: Any) -> None:
    _, (run,) = logged(client)
    (data,) = [given.dataset for given in run.inputs.dataset_inputs]
    found = models(client)
    for model in found:
        assert model.name == f"tiny-seed-3-iteration-{model.tags['allmodes.iteration']}"
        assert (model.source_run_id, str(model.status), model.model_type) == (run.info.run_id, "READY", "generator")
        assert model.tags.items() >= {"allmodes.spec": "tiny", "allmodes.seed": "3"}.items()
        assert {(m.dataset_name, m.dataset_digest, m.run_id) for m in model.metrics} == {
            (data.name, data.digest, run.info.run_id)
        }
    linked = {output.model_id: output.step for output in run.outputs.model_outputs}
    assert linked == dict(zip([model.model_id for model in found], iterations(found), strict=True))


def test_a_logged_model_draws_what_its_checkpoint_draws(trained: Path, client: Any) -> None:
    for model in models(client):
        iteration = model.tags["allmodes.iteration"]
        ours = load_run(trained, checkpoint=iteration).sample(5, 1).numpy()
        loaded = mlflow.pyfunc.load_model(f"models:/{model.model_id}")
        np.testing.assert_array_equal(loaded.predict(5, params={"seed": 1}), ours)
        assert load_run(f"models:/{model.model_id}").iteration == int(iteration)
        files = {found.path for found in client.list_logged_model_artifacts(model.model_id)}
        assert "state.pt" not in files
        assert "MLmodel" in files


def test_models_that_are_sent_twice_are_kept_once(trained: Path, store: str, client: Any) -> None:
    def state() -> Any:
        _, (run,) = logged(client)
        links = [(output.model_id, output.step) for output in run.outputs.model_outputs]
        return sorted((m.model_id, len(m.metrics), m.tags["allmodes.role"]) for m in models(client)), sorted(links)

    before = state()
    receipt = json.loads((trained / "mlflow.json").read_text())
    (trained / "mlflow.json").write_text(json.dumps(receipt | {"sent": 0}))
    assert sync([trained], store, lambda _: None, print) == 0
    assert state() == before


def test_a_model_that_was_sent_in_part_is_completed(trained: Path, store: str, client: Any) -> None:
    _, (run,) = logged(client)
    for model in models(client):
        client.delete_logged_model(model.model_id)
    tags = {"allmodes.iteration": "40"}
    for name in ("half", "twin"):
        client.create_logged_model(run.info.experiment_id, name, run.info.run_id, tags)
    (trained / "mlflow.json").unlink()
    assert sync([trained], store, lambda _: None, print) == 0
    found = models(client)
    assert sorted(iterations(found)) == [model.iteration for model in find(trained, 50)]
    assert {str(model.status) for model in found} == {"READY"}
    assert [model.name for model in found if model.tags["allmodes.iteration"] == "40"] == ["half"]


def test_a_number_that_was_withheld_is_left_out_and_named(trained: Path, store: str, client: Any) -> None:
    log = trained / "metrics.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    lines = [line | {"eval/w1": None} if line.get("iteration") == 40 and "eval/w1" in line else line for line in lines]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for model in models(client):
        client.delete_logged_model(model.model_id)
    (trained / "mlflow.json").unlink()
    assert sync([trained], store, lambda _: None, print) == 0
    model = next(model for model in models(client) if model.tags["allmodes.iteration"] == "40")
    keys = {metric.key for metric in model.metrics}
    assert "modes" in keys
    assert "w1" not in keys
    withheld = model.tags["allmodes.withheld"].split(", ")
    assert "w1" in withheld
    assert not keys.intersection(withheld)


def test_a_resumed_run_keeps_its_earlier_models(trained: Path, client: Any) -> None:
    before = {model.model_id: model for model in models(client)}
    Experiment.resume(trained.parent, ["training.iterations=70"]).run()
    after = {model.model_id: model for model in models(client)}
    assert before.keys() < after.keys()
    assert sorted(iterations(list(after.values())))[-2:] == [60, 70]
    kept = {int(model.tags["allmodes.iteration"]): model.tags["allmodes.role"] for model in after.values()}
    assert "end" in kept[70]
    assert kept[40] in ("earlier", "best")


@pytest.mark.usefixtures("one_process")
def test_a_search_orders_the_ends_of_a_study_as_its_table(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(tmp_path)
    for name, rate in (("slow", 1e-5), ("fast", 1e-2)):
        spec = KEEPING | {"name": name, "training": {**KEEPING["training"], "optimizer": {"kind": "adam", "lr": rate}}}
        Path(f"{name}.json").write_text(json.dumps(spec))
    study = compare(["slow.json", "fast.json"], seeds=[0], folder="out")
    with (study.folder / "table.csv").open(newline="") as file:
        w1 = {
            row["method"]: float(row["value"]) for row in csv.DictReader(file) if row["metric"] == "w1" and row["seed"]
        }
    found = [model for model in models(client, by="w1") if "end" in model.tags["allmodes.role"]]
    assert [model.tags["allmodes.spec"] for model in found] == sorted(w1, key=lambda method: w1[method])
