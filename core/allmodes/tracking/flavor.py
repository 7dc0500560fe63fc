"""A trained model in MLflow's format: the run's own files, and a page with the module that loads them."""

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
SIGNATURE = ModelSignature(params=ParamSchema([ParamSpec("seed", DataType.long, 0)]))


@contextlib.contextmanager
def pack(folder: Path, run_id: str, requirements: Sequence[str]) -> Iterator[Path]:
    """Yield a folder with the run's model, its spec, and MLflow's pages; the requirements are given, never inferred."""
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


def fetch(uri: str, store: str) -> Path:
    """Download artifacts, unless they are on this machine; returns their folder."""
    return Path(artifacts.download_artifacts(artifact_uri=uri, tracking_uri=store))
