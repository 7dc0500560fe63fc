"""Where runs are logged to: the store's address, and what MLflow is told through the environment."""

from __future__ import annotations

import os
import re
from pathlib import Path

ENVIRONMENT = {
    # Training at home or in a closed network should call nobody.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # MLflow's own defaults keep trying a dead server for four minutes; we try again ourselves. One retry is for the
    # connection that a server closed while it was idle.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    # Standard output belongs to the run's own results.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Defaults of ours; what the user sets comes first."""


def default_store() -> str:
    """`MLFLOW_TRACKING_URI` if set, else a SQLite file `mlflow.db` in the working folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(Path.cwd() / 'mlflow.db').as_posix()}"


def experiment() -> str:
    """The MLflow experiment that runs go to: `MLFLOW_EXPERIMENT_NAME` if set, else `allmodes`."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or "allmodes"


def absolute(store: str) -> str:
    """The address, good from any working folder."""
    file, options = sqlite_file(store), store.partition("?")[1:]
    return f"sqlite:///{file.as_posix()}{''.join(options)}" if file else store


def shown(text: str) -> str:
    """The text without a password that a store's address may hold."""
    return re.sub(r"://([^:/@\s]*):[^@/\s]+@", r"://\1:***@", text)


def sqlite_file(store: str) -> Path | None:
    """The file of a SQLite store."""
    path = store.partition("?")[0].removeprefix("sqlite:///")
    return Path(path).absolute() if store.startswith("sqlite:///") and path not in ("", ":memory:") else None


def artifacts(store: str) -> str | None:
    """Where artifacts of a SQLite store lie: beside it; other stores decide for themselves."""
    file = sqlite_file(store)
    return (file.parent / "mlartifacts").as_uri() if file else None
