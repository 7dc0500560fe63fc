"""Runs reach MLflow whole and with their true status, and a store that fails costs no training."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import pytest

from allmodes.run import Outcome, Run
from allmodes.tracking import MlflowObserver, TrackingError, default_store, ui
from allmodes.tracking.observer import open_store
from allmodes_schemas import (
    DatasetConfig,
    EvaluationConfig,
    LossTermConfig,
    NetworkConfig,
    PriorConfig,
    Spec,
    TrainingConfig,
)

FINISHED = Outcome("finished", iteration=20, seconds=1.5, results={"modes": 24.0}, floors={"modes": 25.0})


class Dots(DatasetConfig):
    kind: Literal["dots"] = "dots"
    side: int = 5


class Bell(PriorConfig):
    kind: Literal["bell"] = "bell"
    dim: int = 2


class Body(NetworkConfig):
    kind: Literal["body"] = "body"
    hidden: tuple[int, ...] = (8, 4)
    note: str = "x" * 7000


class Duel(LossTermConfig):
    is_game: ClassVar[bool] = True
    kind: Literal["duel"] = "duel"


class Toll(LossTermConfig):
    kind: Literal["toll"] = "toll"


def spec_of(*seeds: int) -> Spec:
    return Spec.model_construct(
        name="dots-and-bells",
        data=Dots(),
        prior=Bell(),
        generator=Body(),
        discriminator=Body(),
        losses=(Toll(), Duel(weight=2.0)),
        training=TrainingConfig(),
        evaluation=EvaluationConfig(),
        seeds=seeds,
    )


def runs_in(folder: Path, *seeds: int) -> list[Run]:
    runs = []
    for position, seed in enumerate(seeds):
        place = folder / f"seed-{seed}"
        place.mkdir(parents=True)
        (place / "spec.yaml").write_text("name: dots-and-bells\n")
        runs.append(
            Run(
                spec_of(*seeds),
                seed,
                place,
                experiment="20261122-abc",
                position=position,
                seeds=len(seeds),
                device="cpu",
                plugins={"allmodes-dots": "0.3"},
                data={"kind": "dots", "fingerprint": "sha256:" + "f" * 64, "items": 100, "shape": (2,)},
            )
        )
    return runs


def picture(path: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (8, 8), "white").save(path)
    return path


@pytest.fixture(scope="session")
def opened_together(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A database that two processes created at once, and what they said; once, since MLflow takes seconds for it."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    code = f"from allmodes.tracking.observer import open_store; open_store('sqlite:///{file}')"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    processes = [subprocess.Popen([sys.executable, "-c", code], **pipes, text=True) for _ in range(2)]
    return file, "".join(process.communicate()[0] for process in processes)


@pytest.fixture
def store(opened_together: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    return f"sqlite:///{shutil.copy(opened_together[0], tmp_path / 'mlflow.db')}"


@pytest.fixture
def client(store: str) -> Any:
    return open_store(store).client


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def observer(store: str, warnings: list[str]) -> Iterator[MlflowObserver]:
    observer = MlflowObserver(store, warnings.append)
    yield observer
    observer.close()
    assert warnings == []


def logged(client: Any, name: str = "allmodes") -> tuple[Any, list[Any]]:
    """The experiment's run and its seeds' runs in their order."""
    experiment = client.get_experiment_by_name(name)
    runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    (parent,) = [run for run in runs if run.data.tags["allmodes.kind"] == "experiment"]
    children = [run for run in runs if run.data.tags["allmodes.kind"] == "seed"]
    assert all(child.data.tags["mlflow.parentRunId"] == parent.info.run_id for child in children)
    return parent, sorted(children, key=lambda child: int(child.data.tags["allmodes.seed"]))


def files(client: Any, run: Any, folder: str | None = None) -> list[str]:
    return [found.path for found in client.list_artifacts(run.info.run_id, folder)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def test_an_experiment_is_one_parent_with_a_named_child_per_seed(
    observer: MlflowObserver, client: Any, tmp_path: Path
) -> None:
    for run in runs_in(tmp_path, 3, 7):
        observer.allmodes_run_started(run)
        observer.allmodes_run_finished(run, FINISHED)
    observer.close()
    parent, children = logged(client)
    assert parent.info.run_name == "dots-and-bells"
    assert [child.info.run_name for child in children] == ["seed-3", "seed-7"]


def test_parent_and_child_say_what_was_run(observer: MlflowObserver, client: Any, tmp_path: Path) -> None:
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
    params = {"losses.1.weight": "2.0", "generator.hidden.0": "8", "data.side": "5", "seeds.0": "7"}
    for logged_run in (parent, child):
        assert logged_run.data.tags.items() >= tags.items()
        assert logged_run.data.params.items() >= params.items()
        assert len(logged_run.data.params["generator.note"]) == 6000
        assert files(client, logged_run) == ["spec.yaml"]
        (given,) = logged_run.inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == ("dots", "sha256:" + "f" * 29)
        assert {tag.key: tag.value for tag in given.tags} == {"mlflow.data.context": "training"}
    assert child.data.tags["allmodes.seed"] == "7"
    assert parent.data.tags["allmodes.seeds"] == "7"


def test_numbers_and_pictures_keep_their_steps(observer: MlflowObserver, client: Any, tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 0)
    observer.allmodes_run_started(run)
    for iteration in range(0, 3000, 2):
        observer.allmodes_metrics_logged(run, iteration, {"train/generator": iteration / 10, "eval/odd (%)": 1.0})
    observer.allmodes_metrics_logged(run, 3000, {"train/generator": float("nan")})
    figure = picture(tmp_path / "samples.png")
    for iteration in (10, 20):
        observer.allmodes_samples_drawn(run, iteration, figure)
    figure.unlink()
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
    observer: MlflowObserver, client: Any, tmp_path: Path
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
        {"final/modes": 24.0, "floor/modes": 25.0},
        {"final/modes": 22.0, "floor/modes": 25.0},
    ]
    history = client.get_metric_history(parent.info.run_id, "final/modes")
    assert [(point.step, point.value) for point in history] == [(1, 24.0), (2, 23.0)]
    assert files(client, children[0]) == ["model", "results.json", "spec.yaml"]
    assert files(client, children[0], "model") == ["model/generator.safetensors"]
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert all(run.info.start_time <= run.info.end_time for run in (parent, *children))


@pytest.mark.parametrize(("status", "shown"), [("failed", "FAILED"), ("killed", "KILLED")])
def test_a_run_that_did_not_finish_says_so_and_so_does_its_experiment(
    observer: MlflowObserver, client: Any, tmp_path: Path, status: Literal["failed", "killed"], shown: str
) -> None:
    first, second = runs_in(tmp_path, 0, 1)
    observer.allmodes_run_started(first)
    observer.allmodes_run_finished(first, Outcome(status, iteration=5, seconds=1.0, error="e" * 6000))
    observer.allmodes_run_started(second)
    observer.allmodes_run_finished(second, FINISHED)
    observer.close()
    parent, children = logged(client)
    assert [run.info.status for run in (parent, *children)] == [shown, shown, "FINISHED"]
    assert children[0].data.tags["allmodes.error"] == "e" * 5000


def test_an_experiment_runs_until_its_last_seed_ended(observer: MlflowObserver, client: Any, tmp_path: Path) -> None:
    first, _ = runs_in(tmp_path, 0, 1)
    observer.allmodes_run_started(first)
    observer.allmodes_run_finished(first, FINISHED)
    observer.close()
    parent, (child,) = logged(client)
    assert (parent.info.status, child.info.status) == ("RUNNING", "FINISHED")


def test_seeds_of_different_processes_share_their_parent(store: str, client: Any, tmp_path: Path) -> None:
    for run in runs_in(tmp_path, 0, 1):
        observer = MlflowObserver(store)
        observer.allmodes_run_started(run)
        observer.allmodes_run_finished(run, FINISHED)
        observer.close()
    parent, children = logged(client)
    assert len(children) == 2
    assert parent.info.status == "FINISHED"


def test_a_resumed_run_goes_on_where_it_was_logged(store: str, client: Any, tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 0)
    for iteration, outcome in ((1, replace(FINISHED, status="killed")), (2, FINISHED)):
        observer = MlflowObserver(store)
        observer.allmodes_run_started(run)
        observer.allmodes_metrics_logged(run, iteration, {"train/generator": 1.0})
        observer.allmodes_run_finished(run, outcome)
        observer.close()
    parent, (child,) = logged(client)
    assert json.loads((run.folder / "mlflow.json").read_text()) == {
        "run_id": child.info.run_id,
        "parent_run_id": parent.info.run_id,
        "tracking_uri": store,
        "experiment_id": child.info.experiment_id,
    }
    assert [point.step for point in client.get_metric_history(child.info.run_id, "train/generator")] == [1, 2]
    assert (parent.info.status, child.info.status) == ("FINISHED", "FINISHED")


def test_artifacts_lie_beside_the_database_in_the_experiment_of_the_environment(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "elsewhere")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    observer = MlflowObserver()
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


class FakeClient:
    """Notes the thread of each call and waits until it may answer."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.batches: list[int] = []
        self.may_answer = threading.Event()

    def __getattr__(self, name: str) -> Any:
        def call(*args: object, **options: Any) -> Any:
            self.may_answer.wait(30)
            self.calls.append((name, threading.get_ident()))
            if options.get("metrics"):
                self.batches.append(len(options["metrics"]))
            return [] if name == "search_runs" else SimpleNamespace(info=SimpleNamespace(run_id="r"), experiment_id="1")

        return call


def test_training_never_waits_for_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeClient()
    monkeypatch.setattr("allmodes.tracking.store.connect", lambda address: fake)
    observer = MlflowObserver("sqlite:///unused.db")
    run, _ = runs_in(tmp_path, 0, 1)
    observer.allmodes_run_started(run)
    for iteration in range(2500):
        observer.allmodes_metrics_logged(run, iteration, {"train/generator": 0.0})
    observer.allmodes_samples_drawn(run, 1, picture(tmp_path / "samples.png"))
    observer.allmodes_run_finished(run, FINISHED)
    assert fake.calls == []
    fake.may_answer.set()
    observer.close()
    assert {"create_run", "log_batch", "log_image", "set_terminated"} <= {name for name, _ in fake.calls}
    assert threading.get_ident() not in {thread for _, thread in fake.calls}
    assert sum(fake.batches) == 2500 + 2
    assert len(fake.batches) <= 5


def test_a_picture_that_cannot_be_read_costs_one_warning_and_no_numbers(
    store: str, client: Any, tmp_path: Path, warnings: list[str]
) -> None:
    (run,) = runs_in(tmp_path, 0)
    observer = MlflowObserver(store, warnings.append)
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


def test_a_store_that_hangs_is_one_warning_when_the_wait_is_over(
    tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeClient()
    monkeypatch.setattr("allmodes.tracking.store.connect", lambda address: fake)
    observer = MlflowObserver("sqlite:///unused.db", warnings.append)
    (run,) = runs_in(tmp_path, 0)
    observer.allmodes_run_started(run)
    observer.close(timeout=0.1)
    observer.close()
    fake.may_answer.set()
    assert warnings == ["MLflow: sqlite:///unused.db did not take everything within 0.1 s; the rest is lost."]


def use_all(observer: MlflowObserver, run: Run, figure: Path) -> None:
    observer.allmodes_run_started(run)
    use(observer, run, figure)


def use(observer: MlflowObserver, run: Run, figure: Path) -> None:
    observer.allmodes_metrics_logged(run, 1, {"train/generator": 1.0})
    observer.allmodes_samples_drawn(run, 1, figure)
    observer.allmodes_run_finished(run, FINISHED)
    observer.close()
    observer.allmodes_metrics_logged(run, 2, {"train/generator": 1.0})
    observer.close()


def advice(run: Run) -> str:
    return (
        f"The run goes on without tracking; its numbers are in {run.folder}/metrics.jsonl. "
        "Check that the store can be reached and written, choose another with MLFLOW_TRACKING_URI, "
        "or pass --no-tracking."
    )


def test_a_store_that_cannot_be_written_is_one_warning(tmp_path: Path, warnings: list[str]) -> None:
    (tmp_path / "file").touch()
    store = f"sqlite:///{tmp_path}/file/mlflow.db"
    (run,) = runs_in(tmp_path, 0)
    use_all(MlflowObserver(store, warnings.append), run, picture(tmp_path / "samples.png"))
    assert warnings == [f"MLflow: could not start a run in {store} (File exists). {advice(run)}"]


def test_a_server_that_refuses_is_one_warning_without_its_password(
    tmp_path: Path, warnings: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    address = f"127.0.0.1:{free_port()}"
    (run,) = runs_in(tmp_path, 0)
    observer = MlflowObserver(f"http://me:secret@{address}", warnings.append)
    use_all(observer, run, picture(tmp_path / "samples.png"))
    assert warnings == [f"MLflow: could not start a run in http://me:***@{address} (Connection refused). {advice(run)}"]
    assert capfd.readouterr().err == ""


def test_a_store_that_dies_in_the_middle_is_one_warning(
    tmp_path: Path, store: str, warnings: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    (run,) = runs_in(tmp_path, 0)
    observer = MlflowObserver(store, warnings.append)
    observer.allmodes_run_started(run)
    observer.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("DROP TABLE latest_metrics")
    use(observer, run, picture(tmp_path / "samples.png"))
    (warning,) = warnings
    assert warning.startswith(f"MLflow: could not write metrics in {store} (")
    assert warning.endswith(advice(run))
    assert capfd.readouterr().err == ""


def test_importing_the_module_does_not_import_mlflow() -> None:
    code = "import sys, allmodes.tracking; assert not {'mlflow', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_database_created_by_two_at_once_is_whole_and_nobody_talks_about_it(
    opened_together: tuple[Path, str],
) -> None:
    file, said = opened_together
    assert said == ""
    assert [path.name for path in file.parent.iterdir()] == ["mlflow.db"]


def test_a_process_that_ends_early_loses_nothing(store: str, client: Any, tmp_path: Path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_tracking import *
(run,) = runs_in(Path({str(tmp_path)!r}), 0)
observer = MlflowObserver({store!r})
observer.allmodes_run_started(run)
observer.allmodes_metrics_logged(run, 5, {{"train/generator": 1.0}})
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
    _, (child,) = logged(client)
    assert child.data.metrics == {"train/generator": 1.0}


def test_the_ui_refuses_a_port_in_use(store: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError) as caught:
            ui(store, port=port)
    assert str(caught.value) == f"port {port} on 127.0.0.1 is in use: choose another with --port {port + 1}"


def test_the_ui_of_a_store_without_runs_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(TrackingError) as caught:
        ui(f"sqlite:///{tmp_path}/mlflow.db")
    message = f"no runs yet: {tmp_path}/mlflow.db does not exist; start one with `allmodes run gan/ring`"
    assert str(caught.value) == message


def test_the_ui_of_a_server_is_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert ui("http://tracking.example:5000") == 0
    assert capsys.readouterr().out == "The MLflow server of this store is already there: http://tracking.example:5000\n"


def answers(address: str, seconds: float = 240) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
        time.sleep(0.2)
    return False


def test_the_ui_serves_until_interrupted(store: str) -> None:
    port = free_port()
    code = f"import sys; from allmodes.tracking import ui; sys.exit(ui({store!r}, port={port}))"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as served:
        try:
            assert answers(f"http://127.0.0.1:{port}/health")
        finally:
            os.kill(served.pid, signal.SIGINT)
        out, err = served.communicate(timeout=120)
    assert served.returncode == 0, err
    assert out.startswith(f"MLflow UI: http://127.0.0.1:{port} (Ctrl-C ends it), runs of {store}\n")
    assert "Traceback" not in err
    assert not answers(f"http://127.0.0.1:{port}/health", seconds=0.1)
