"""A trained model's folder as MLflow knows models: the run's own files, and a page that says how to load them."""

from __future__ import annotations

import contextlib
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlflow import artifacts, pyfunc
from mlflow.models import Model, ModelSignature
from mlflow.types import DataType, ParamSchema, ParamSpec

from allmodes.runs.run_folder import RunFolder

LOADER = "allmodes.models.pyfunc"
ENVIRONMENT = f"python: {platform.python_version()}\nbuild_dependencies: [pip]\ndependencies: [-r requirements.txt]\n"
SIGNATURE = ModelSignature(params=ParamSchema([ParamSpec("seed", DataType.long, 0)]))


@contextlib.contextmanager
def packed(folder: Path, run_id: str, requirements: Sequence[str]) -> Iterator[Path]:
    """A folder `model` with the run's model, its spec, and what MLflow needs; the requirements are never inferred."""
    with tempfile.TemporaryDirectory(prefix="allmodes-") as place:
        model = Path(shutil.copytree(RunFolder(folder).model, Path(place) / "model"))
        shutil.copyfile(RunFolder(folder).spec, RunFolder(model).spec)
        (model / "requirements.txt").write_text("\n".join([*requirements, ""]))
        lines = [
            f"python: {platform.python_version()}",
            "build_dependencies: [pip]",
            "dependencies: [-r requirements.txt]",
        ]
        (model / "python_env.yaml").write_text("\n".join([*lines, ""]))
        page = Model(artifact_path="model", run_id=run_id, signature=SIGNATURE)
        pyfunc.add_to_model(page, LOADER, python_env="python_env.yaml")
        page.save(str(model / "MLmodel"))
        yield model


def fetched(uri: str, store: str) -> Path:
    """A folder of artifacts on this machine, fetched if it lies elsewhere."""
    return Path(artifacts.download_artifacts(artifact_uri=uri, tracking_uri=store))
