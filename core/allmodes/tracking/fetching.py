"""A trained model out of MLflow, wherever its artifacts lie."""

from __future__ import annotations

from pathlib import Path

from allmodes.tracking.address import absolute, default_store, for_mlflow, shown
from allmodes.tracking.sender import reason, set_environment
from allmodes.tracking.server import TrackingError

MODEL = "model"


def download(reference: str) -> Path:
    """The folder of a model that MLflow calls `runs:/<id>` (its model), `runs:/<id>/path` or `models:/...`.

    Raises TrackingError where the store or the model cannot be had.
    """
    whole = f"{reference.rstrip('/')}/{MODEL}" if reference.startswith("runs:/") and _bare(reference) else reference
    store = absolute(default_store())
    set_environment()
    from allmodes.tracking import flavor

    try:
        return flavor.fetched(whole, for_mlflow(store))
    except Exception as error:  # stores fail in many ways
        raise TrackingError(
            f"{reference}: cannot be read from {shown(store)} ({reason(error, store)}): check the id, and that "
            "MLFLOW_TRACKING_URI is the store that the run was logged to"
        ) from None


def _bare(reference: str) -> bool:
    return "/" not in reference.removeprefix("runs:/").strip("/")
