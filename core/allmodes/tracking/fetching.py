"""Downloads trained models from MLflow."""

from __future__ import annotations

from pathlib import Path

from allmodes.tracking.address import absolute, default_store, for_mlflow, without_secrets
from allmodes.tracking.sender import reason, set_environment
from allmodes.tracking.server import TrackingError

MODEL = "model"


def download(reference: str) -> Path:
    """Download the model `runs:/<id>`, `runs:/<id>/path` or `models:/...`; returns its folder.

    Raises TrackingError where the store or the model cannot be read.
    """
    whole = f"{reference.rstrip('/')}/{MODEL}" if _names_a_run(reference) else reference
    store = absolute(default_store())
    set_environment()
    from allmodes.tracking import flavor

    try:
        return flavor.fetch(whole, for_mlflow(store))
    except Exception as error:  # stores fail in many ways
        raise TrackingError(
            f"{reference}: cannot be read from {without_secrets(store)} ({reason(error, store)}): check the id, and "
            "that MLFLOW_TRACKING_URI is the store that the run was logged to"
        ) from None


def _names_a_run(reference: str) -> bool:
    return reference.startswith("runs:/") and "/" not in reference.removeprefix("runs:/").strip("/")
