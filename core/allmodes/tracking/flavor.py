"""A trained model in MLflow's format: the run's own files, and a page with the module that loads them."""

from __future__ import annotations

import contextlib
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mlflow import artifacts, pyfunc
from mlflow.models import Model

from allmodes.runs import model_page
from allmodes.runs.run_folder import RunFolder
from allmodes.system.json_pages import PageError
from allmodes.tracking import signature

LOADER = "allmodes.models.pyfunc"
LOST = (FileNotFoundError, PageError)
"""What is raised for a model that is gone, or a checkpoint whose page is damaged."""


@contextlib.contextmanager
def pack(stored: Path, spec: Path, requirements: Sequence[str]) -> Iterator[Path]:
    """Yield a folder with a stored model, its spec and its requirements, which are given and never inferred.

    Raises one of `LOST`.
    """
    with tempfile.TemporaryDirectory(prefix="allmodes-") as place:
        model = Path(place) / "model"
        model_page.copy_model(stored, model)
        shutil.copyfile(spec, RunFolder(model).spec)
        (model / "requirements.txt").write_text("\n".join([*requirements, ""]))
        lines = [
            f"python: {platform.python_version()}",
            "build_dependencies: [pip]",
            "dependencies: [-r requirements.txt]",
        ]
        (model / "python_env.yaml").write_text("\n".join([*lines, ""]))
        yield model


def describe(model: Path, run_id: str, model_id: str | None = None) -> None:
    """Write MLflow's page into the folder of a packed model, and an example of its input."""
    page = Model(artifact_path="model", run_id=run_id, signature=signature.signature(_page(model)), model_id=model_id)
    signature.add_example(page, model)
    pyfunc.add_to_model(page, LOADER, python_env="python_env.yaml")
    page.save(str(model / "MLmodel"))


def _page(model: Path) -> dict[str, Any]:
    """The page of a stored model; empty where it is damaged, which loading the model will tell."""
    with contextlib.suppress(*LOST):
        return model_page.read(model)
    return {}


def fetch(uri: str, store: str) -> Path:
    """Download artifacts, unless they are on this machine; returns their folder."""
    return Path(artifacts.download_artifacts(artifact_uri=uri, tracking_uri=store))
