"""Where runs are logged to: the store's address, and what MLflow is told through the environment."""

from __future__ import annotations

import os
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote, unquote

from allmodes.system.paths import place
from allmodes.text import redact

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

_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(?P<path>[^?]*)(?P<options>\?.*)?", re.DOTALL)


def default_store() -> str:
    """`MLFLOW_TRACKING_URI` if set, else a SQLite file `mlflow.db` in the working folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or sqlite_address(Path.cwd() / "mlflow.db")


def experiment() -> str:
    """The MLflow experiment that runs go to: `MLFLOW_EXPERIMENT_NAME` if set, else `allmodes`."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or "allmodes"


def absolute(store: str) -> str:
    """The address, good from any working folder."""
    redact.learn(store)
    if file := sqlite_file(store):
        return sqlite_address(file, _options(store))
    return str(place(store)) if _is_path(store) else store


def shown(store: str) -> str:
    """The address without password, token and query: to be written and printed, and to tell stores apart by."""
    file = sqlite_file(store)
    return sqlite_address(file) if file else redact.address(store)


def sqlite_file(store: str) -> Path | None:
    """The file of a SQLite store."""
    found = _SQLITE.fullmatch(store)
    path = _decoded(found["path"]) if found else ""
    if path.startswith("file:"):
        path = unquote(path.removeprefix("file:"))
    return None if path in ("", ":memory:") or "mode=memory" in store else place(path)


def sqlite_address(file: Path, options: str = "") -> str:
    """The address of a SQLite file, in which SQLAlchemy finds the file whatever its path holds."""
    path = file.as_posix()
    if _decodes():
        path = path.replace("%", "%25").replace("?", "%3F")
    elif "?" in path:
        path, options = f"file:{quote(path)}", "?uri=true" + options.replace("?", "&").replace("&uri=true", "")
    return f"sqlite:///{path}{options}"


def for_mlflow(store: str) -> str:
    """The address as MLflow should get it: of one of its own form it would make the folder before decoding it."""
    is_plain = sqlite_file(store) is None or not re.search("%|file:", store)
    return store if is_plain else re.sub(r"^sqlite(\+\w+)?:", "sqlite+pysqlite:", store)


def artifacts(store: str) -> str | None:
    """Where artifacts of a SQLite store lie: beside it; other stores decide for themselves."""
    file = sqlite_file(store)
    return (file.parent / "mlartifacts").as_uri() if file else None


def _options(store: str) -> str:
    found = _SQLITE.fullmatch(store)
    return (found["options"] or "") if found else ""


def _is_path(store: str) -> bool:
    """Whether it is a folder, and neither an address nor a word such as `databricks`."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.\-]+:", store) is None and (os.sep in store or store.startswith((".", "~")))


def _decoded(path: str) -> str:
    return unquote(path) if _decodes() else path


@cache
def _decodes() -> bool:
    """Whether SQLAlchemy decodes the path in an address, as it does since 2.1."""
    return tuple(int(part) for part in version("sqlalchemy").split(".")[:2]) >= (2, 1)
