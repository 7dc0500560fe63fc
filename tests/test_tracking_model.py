"""A tracked model is loaded from MLflow, by MLflow and by allmodes."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest

from allmodes import Experiment, load_run
from allmodes.tracking import TrackingError
from tiny import SPEC
from tracked import files, logged


def test_a_tracked_model_samples_through_mlflow_as_it_does_from_its_folder(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    results = Experiment.from_spec(SPEC, folder=tmp_path / "runs").run()
    _, (child,) = logged(client)
    model = mlflow.pyfunc.load_model(f"runs:/{child.info.run_id}/model")
    ours = load_run(results.folder)
    for seed in (0, 7):
        np.testing.assert_array_equal(model.predict(50, params={"seed": seed}), ours.sample(50, seed).numpy())
    np.testing.assert_array_equal(model.predict(pd.DataFrame({"n": [50]})), ours.sample(50).numpy())
    folder = mlflow.artifacts.download_artifacts(run_id=child.info.run_id, artifact_path="", dst_path=str(tmp_path))
    np.testing.assert_array_equal(load_run(folder).sample(50).numpy(), ours.sample(50).numpy())
    np.testing.assert_array_equal(load_run(f"runs:/{child.info.run_id}").sample(50).numpy(), ours.sample(50).numpy())
    requirements = (Path(folder) / "model" / "requirements.txt").read_text().splitlines()
    assert {line.partition("==")[0] for line in requirements} == {"allmodes", "torch", "safetensors"}
    kinds = {Path(name).suffix for name in files(client, child, "model")}
    assert kinds == {".safetensors", ".json", ".yaml", ".txt", ""}


def test_error_of_a_missing_model_names_the_store(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    with pytest.raises(TrackingError) as error:
        load_run("runs:/0123456789abcdef0123456789abcdef")
    assert str(error.value).startswith(f"runs:/0123456789abcdef0123456789abcdef: cannot be read from {store} (")
    way_out = "check the id, and that MLFLOW_TRACKING_URI is the store that the run was logged to"
    assert str(error.value).endswith(way_out)
