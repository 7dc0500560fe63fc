"""What MLflow serves and predicts of a trained model is what `allmodes sample` draws."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import yaml
from mlflow.models import Model

from allmodes import Experiment, ModelError, SpecError, load_run
from allmodes.cli import main as cli_main
from allmodes.models.pyfunc import Sampler
from tiny import SPEC
from tracked import files, free_port, logged

ROWS = "age,height\n" + "".join(f"{20 + i % 30},{150 + i * 0.37:.2f}\n" for i in range(100))


def train(store: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Path:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    return Experiment.from_spec({**SPEC, **changes}, folder=folder / "runs").run().folder


@pytest.fixture
def table(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a tracked experiment on a table with a column of whole numbers."""
    (tmp_path / "people.csv").write_text(ROWS)
    evaluation = {**SPEC["evaluation"], "metrics": ["wasserstein"]}
    data = {"kind": "csv", "path": str(tmp_path / "people.csv")}
    return train(store, tmp_path, monkeypatch, data=data, evaluation=evaluation)


def sampled(run: Path, to: Path, n: int, seed: int) -> list[dict[str, float]]:
    """What `allmodes sample` writes."""
    assert cli_main.execute(["sample", str(run), "-n", str(n), "--seed", str(seed), "-o", str(to)]) == 0
    with to.open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def address(client: Any) -> str:
    return f"runs:/{logged(client)[1][0].info.run_id}/model"


def test_a_model_of_a_table_gives_its_columns_and_the_samples_of_the_command_line(
    table: Path, client: Any, tmp_path: Path
) -> None:
    expected = sampled(table, tmp_path / "samples.csv", 5, 3)
    model = mlflow.pyfunc.load_model(address(client))
    frame = model.predict(5, params={"seed": 3})
    assert frame.to_dict("records") == expected
    assert [str(kind) for kind in frame.dtypes] == ["int64", "float64"]
    outputs = model.metadata.signature.outputs
    assert [(one.name, one.type.name) for one in outputs] == [("age", "long"), ("height", "double")]


def test_the_page_of_a_model_has_a_signature_and_an_example_that_works(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"kind": "digits"}
    folder = train(store, tmp_path, monkeypatch, data=data, evaluation={**SPEC["evaluation"], "metrics": []})
    at = mlflow.artifacts.download_artifacts(address(client))
    page = Model.load(at)
    (output,) = page.signature.outputs
    assert (output.shape, output.type) == ((-1, *load_run(folder).shape), np.dtype("float32"))
    assert [param.name for param in page.signature.params] == ["seed", "mode"]
    number, params = page.load_input_example(at), page.load_input_example_params(at)
    items = mlflow.pyfunc.load_model(at).predict(number, params=params)
    np.testing.assert_array_equal(items, load_run(folder).sample(3).numpy())
    assert json.loads(page.get_serving_input(at)) == {"inputs": [3], "params": {"seed": 0}}
    assert {"model/input_example.json", "model/MLmodel"} <= set(files(client, logged(client)[1][0], "model"))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ([1, 2], "the input is the number of items to draw, and 2 numbers were given: give one"),
        (0, "the input is the number of items to draw, from 1 on, and 0 was given"),
        ("many", "the input is the number of items to draw, from 1 on, and many was given"),
    ],
)
def test_an_input_that_is_no_number_of_items_is_refused(given: Any, problem: str) -> None:
    with pytest.raises(ModelError) as error:
        Sampler(None).predict(given)  # type: ignore[arg-type]
    assert str(error.value) == problem


def test_a_mode_of_the_latent_is_a_parameter(tmp_path: Path) -> None:
    prior = {"kind": "nemgan.mode_mixture", "dim": 3, "modes": 3}
    run = Experiment.from_spec({**SPEC, "prior": prior}, folder=tmp_path, track=False).run().folder
    model = Sampler(load_run(run))
    np.testing.assert_array_equal(model.predict(3, {"mode": 1}), load_run(run).sample(3, mode=1).numpy())
    with pytest.raises(ModelError, match="mode"):
        model.predict(3, {"mode": 7})


def test_a_model_whose_plugin_is_missing_says_which(table: Path, client: Any, tmp_path: Path) -> None:
    at = Path(mlflow.artifacts.download_artifacts(address(client), dst_path=str(tmp_path / "given")))
    spec = yaml.safe_load((at / "spec.yaml").read_text())
    (at / "spec.yaml").write_text(yaml.safe_dump(spec | {"prior": {"kind": "nobody.bell", "dim": 2}}))
    with pytest.raises(SpecError, match="nobody"):
        mlflow.pyfunc.load_model(str(at))


def test_a_model_of_an_earlier_version_is_loaded(table: Path, client: Any, tmp_path: Path) -> None:
    """Its page has no signature of the input, no example, and the old name of the loader."""
    at = Path(mlflow.artifacts.download_artifacts(address(client), dst_path=str(tmp_path / "old")))
    page = yaml.safe_load((at / "MLmodel").read_text())
    page["signature"] = {"inputs": None, "outputs": None, "params": page["signature"]["params"]}
    page["flavors"]["python_function"]["loader_module"] = "allmodes.tracking.pyfunc"
    del page["saved_input_example_info"]
    (at / "MLmodel").write_text(yaml.safe_dump(page))
    frame = mlflow.pyfunc.load_model(str(at)).predict(4, params={"seed": 1})
    np.testing.assert_array_equal(frame["height"], load_run(table).sample(4, 1)[:, 1].numpy())


@pytest.mark.slow
def test_mlflow_serves_and_predicts_what_the_command_line_samples(
    table: Path, store: str, client: Any, tmp_path: Path
) -> None:
    expected = {"predictions": sampled(table, tmp_path / "samples.csv", 3, 5)}
    question = tmp_path / "question.json"
    question.write_text(json.dumps({"inputs": [3], "params": {"seed": 5}}))
    command = [sys.executable, "-m", "mlflow", "models"]
    local = ["-m", address(client), "--env-manager", "local"]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_TRACKING_URI": store}
    answer = tmp_path / "answer.json"
    asked = [*command, "predict", *local, "-i", str(question), "-o", str(answer), "-t", "json"]
    subprocess.run(asked, check=True, capture_output=True, env=environment)
    assert json.loads(answer.read_text()) == expected
    port = free_port()
    log = (tmp_path / "server.log").open("wb")
    served = [*command, "serve", *local, "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(served, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        wait(f"http://127.0.0.1:{port}/ping", tmp_path / "server.log")
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", question.read_bytes(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            assert json.loads(response.read()) == expected
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def wait(ping: str, log: Path) -> None:
    deadline = time.monotonic() + 300
    while True:
        try:
            with urllib.request.urlopen(ping, timeout=5) as response:
                assert response.status == 200
                return
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
