"""Study > method > seed in MLflow: each row once, whoever sends it and how often."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from allmodes.runs.run import Outcome, Run
from allmodes.tracking import summary
from allmodes.tracking.forwarding import Forwarder
from tracked import FINISHED, Training, runs_in

STUDY = {"experiment": "toys-1a2b", "study": "toys", "seeds": 4, "repeats": 2}
MODES = {("narrow", 0): 20.0, ("narrow", 1): 24.0, ("wide", 0): 25.0, ("wide", 1): 23.0}


@pytest.fixture
def study(tmp_path: Path) -> list[Run]:
    """The runs of a study of two methods with two seeds each."""
    return [replace(run, **STUDY) for name in ("narrow", "wide") for run in runs_in(tmp_path / name, 0, 1)]


def train(run: Run, observer: Training, outcome: Outcome = FINISHED) -> None:
    observer.allmodes_run_started(run)
    modes = MODES[run.folder.parent.name, run.seed]
    observer.allmodes_run_finished(run, replace(outcome, results={"modes": modes}))


def attach(study: list[Run], store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """End a study as `allmodes compare` does."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    (table := study[0].folder.parent.parent / "table.md").write_text("# toys\n")
    with Forwarder(pytest.fail) as forwarder:
        tags = {"allmodes.best_method": "wide", "allmodes.best_by": "modes"}
        forwarder.attach([run.folder for run in study], [table], "# toys\n", {"best/modes": 24.0}, tags)


def rows(client: Any) -> dict[str, Any]:
    """The runs by name, which have to differ, and by parents' names before theirs."""
    found = client.search_runs([client.get_experiment_by_name("allmodes").experiment_id])
    names = {run.info.run_id: run.info.run_name for run in found}
    above = {run.info.run_id: names.get(run.data.tags.get("mlflow.parentRunId")) for run in found}
    assert len(set(names.values())) == len(names)
    return {f"{above[run.info.run_id]} > {run.info.run_name}": run for run in found}


TREE = {
    "None > toys",
    *("toys > narrow", "toys > wide"),
    *(f"{name} > {name}/seed-{seed}" for name in ("narrow", "wide") for seed in (0, 1)),
}


def test_a_study_holds_methods_with_means_errors_and_floors_and_they_hold_seeds(
    study: list[Run], store: str, client: Any, observer: Training
) -> None:
    for run in study:
        train(run, observer)
    observer.close()
    found = rows(client)
    assert set(found) == TREE
    assert found["toys > narrow"].data.metrics == {"modes": 22.0, "modes_se": 2.0, "floor/modes": 25.0}
    assert found["toys > wide"].data.metrics == {"modes": 24.0, "modes_se": 1.0, "floor/modes": 25.0}
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert found["toys > wide"].data.tags["allmodes.seeds"] == "0, 1"
    assert found["None > toys"].data.tags["allmodes.methods"] == "narrow, wide"
    assert found["None > toys"].data.tags["allmodes.game"] == "duel"
    assert found["None > toys"].data.metrics == {"methods": 2, "seeds": 4, "seeds_finished": 4}
    groups = {name: run.data.tags.get("allmodes.seeds_of") for name, run in found.items()}
    assert groups["toys > narrow"] == groups["narrow > narrow/seed-0"] == "narrow in toys-1a2b"
    assert groups["None > toys"] is None


def test_a_method_runs_until_its_last_seed_ended_and_a_study_until_its_last_method(
    study: list[Run], store: str, client: Any, observer: Training
) -> None:
    for run in study[:3]:
        train(run, observer)
    observer.close()
    found = rows(client)
    status = {name: run.info.status for name, run in found.items() if "seed" not in name}
    assert status == {"None > toys": "RUNNING", "toys > narrow": "FINISHED", "toys > wide": "RUNNING"}


def test_a_study_that_is_sent_again_whole_has_each_row_and_number_once(
    study: list[Run], store: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    observer, histories = Training(store, pytest.fail), []
    for run in study:
        train(run, observer)
    observer.close()
    for _ in range(2):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
        with Forwarder(pytest.fail) as forwarder:
            for run in study:
                (run.folder / "mlflow.json").unlink()
                forwarder.add(run.folder)
        attach(study, store, monkeypatch)
        found = rows(client)
        assert set(found) == TREE
        method = found["toys > narrow"].info.run_id
        histories.append(sorted((one.step, one.value) for one in client.get_metric_history(method, "modes")))
        top = found["None > toys"]
        assert top.data.tags["mlflow.note.content"] == "# toys\n"
        assert (top.data.metrics["best/modes"], top.data.tags["allmodes.best_method"]) == (24.0, "wide")
        assert len(client.get_metric_history(top.info.run_id, "best/modes")) == 1
    assert histories[0] == histories[1]
    assert found["toys > narrow"].data.metrics["modes"] == 22.0


def test_a_study_that_an_older_version_logged_without_methods_gets_them(
    study: list[Run], store: str, client: Any, observer: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in study:
        train(run, observer)
    observer.close()
    found = rows(client)
    for name, run in found.items():
        if "seed" in name:
            client.set_tag(run.info.run_id, "mlflow.parentRunId", found["None > toys"].info.run_id)
        elif "toys >" in name:
            client.delete_run(run.info.run_id)
    for _ in range(2):
        attach(study, store, monkeypatch)
        found = rows(client)
        assert set(found) == TREE
        wide = found["toys > wide"]
        assert wide.data.metrics == {"modes": 24.0, "modes_se": 1.0, "floor/modes": 25.0}
        assert (wide.data.tags["allmodes.kind"], wide.info.status) == ("method", "FINISHED")
        assert wide.data.params["data.side"] == "5"
        assert wide.inputs.dataset_inputs[0].dataset.name == "dots"
        assert "Data `dots`" in wide.data.tags["mlflow.note.content"]


def test_a_seed_that_goes_on_in_a_study_of_an_older_version_is_nested_in_its_method(
    study: list[Run], store: str, client: Any
) -> None:
    run = study[0]
    train(run, first := Training(store, pytest.fail), replace(FINISHED, status="killed"))
    first.close()
    found = rows(client)
    client.set_tag(found["narrow > narrow/seed-0"].info.run_id, "mlflow.parentRunId", found["None > toys"].info.run_id)
    client.delete_run(found["toys > narrow"].info.run_id)
    train(run, second := Training(store, pytest.fail))
    second.close()
    assert set(rows(client)) == {"None > toys", "toys > narrow", "narrow > narrow/seed-0"}


def test_of_two_rows_that_senders_made_of_one_method_one_is_kept(
    study: list[Run], store: str, client: Any, observer: Training
) -> None:
    train(study[0], observer)
    observer.close()
    found = rows(client)
    twin = client.create_run(
        found["None > toys"].info.experiment_id,
        tags={**found["toys > narrow"].data.tags, "mlflow.runName": "narrow"},
    )
    train(study[1], last := Training(store, pytest.fail))
    last.close()
    assert client.get_run(twin.info.run_id).info.lifecycle_stage == "deleted"
    assert set(rows(client)) == {name for name in TREE if "wide" not in name}


def test_the_page_of_a_study_begins_with_its_tables() -> None:
    page = "# toys\n\nMeans over seeds.\n\n## ring\n\n| method |\n\n## grid\n\n| method |\n"
    shown = "## ring\n\n| method |\n\n## grid\n\n| method |\n\nMeans over seeds."
    assert summary.tables_first(page) == shown
    assert summary.tables_first("nothing is finished") == "nothing is finished"
