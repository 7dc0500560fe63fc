"""The address of the store that runs are logged to, and defaults of MLflow's environment variables."""

from __future__ import annotations

import os
import re
from functools import cache
from importlib.metadata import entry_points, version
from pathlib import Path
from urllib.parse import quote, unquote

from allmodes.specs.source import SpecError
from allmodes.system.paths import place
from allmodes.text import redact
from allmodes.text.suggest import did_you_mean

ENVIRONMENT = {
    # Training at home or in a closed network should open no connection.
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

KINDS = ("sqlite", "http", "https", "file", "postgresql", "mysql", "mssql", "databricks", "databricks-uc", "uc")
"""What addresses of MLflow's own stores begin with."""
EXAMPLES = "sqlite:///mlflow.db, http://HOST:5000 or postgresql://USER@HOST/DATABASE"

_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///(?P<path>[^?]*)(?P<options>\?.*)?", re.DOTALL)


def default_store() -> str:
    """`MLFLOW_TRACKING_URI` if set, else a SQLite file `mlflow.db` in the working folder.

    Raises SpecError where there is no such kind of store.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    if given:
        check(given)
    return given or sqlite_address(Path.cwd() / "mlflow.db")


def check(store: str) -> None:
    """Refuse an address of a kind that MLflow has no store of, neither its own nor a plugin's. Raises SpecError."""
    found = re.match(r"([A-Za-z][A-Za-z0-9.\-]+)(\+\w+)?:", store)
    kind = found[1].lower() if found else ""
    if kind and kind not in KINDS and kind not in entry_points(group="mlflow.tracking_store").names:
        redact.learn(store)
        what = f"MLflow has no store of the kind {kind!r}{did_you_mean(kind, KINDS)}"
        raise SpecError(f"{without_secrets(store)}: {what}: give an address such as {EXAMPLES}")


def experiment() -> str:
    """The MLflow experiment of runs: `MLFLOW_EXPERIMENT_NAME` if set, else `allmodes`."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or "allmodes"


def experiment_id() -> str | None:
    """The id of the MLflow experiment that `mlflow.set_experiment()` or MLFLOW_EXPERIMENT_ID names, without a name."""
    return None if os.environ.get("MLFLOW_EXPERIMENT_NAME") else os.environ.get("MLFLOW_EXPERIMENT_ID") or None


def absolute(store: str) -> str:
    """The address with absolute paths, valid in any working folder. Raises SpecError for no kind of store."""
    redact.learn(store)
    check(store)
    if file := sqlite_file(store):
        return sqlite_address(file, _options(store))
    return str(place(store)) if _is_path(store) else store


def without_secrets(store: str) -> str:
    """The address without password, token and query: to write, to print and to compare."""
    file = sqlite_file(store)
    return sqlite_address(file) if file else redact.address(store)


def sqlite_file(store: str) -> Path | None:
    """The file of a SQLite store; None for other stores and databases in memory."""
    found = _SQLITE.fullmatch(store)
    path = _decode_path(found["path"]) if found else ""
    if path.startswith("file:"):
        path = unquote(path.removeprefix("file:"))
    return None if path in ("", ":memory:") or "mode=memory" in store else place(path)


def sqlite_address(file: Path, options: str = "") -> str:
    """The address of a SQLite file, with special characters of its path encoded for SQLAlchemy."""
    path = file.as_posix()
    if _sqlalchemy_decodes_paths():
        path = path.replace("%", "%25").replace("?", "%3F")
    elif "?" in path:
        path, options = f"file:{quote(path)}", "?uri=true" + options.replace("?", "&").replace("&uri=true", "")
    return f"sqlite:///{path}{options}"


def for_mlflow(store: str) -> str:
    """The address in a form whose folder MLflow does not create before it decodes the path."""
    is_plain = sqlite_file(store) is None or not re.search("%|file:", store)
    return store if is_plain else re.sub(r"^sqlite(\+\w+)?:", "sqlite+pysqlite:", store)


def artifacts(store: str) -> str | None:
    """The folder for artifacts beside a SQLite store; None for other stores, which have their own."""
    file = sqlite_file(store)
    return (file.parent / "mlartifacts").as_uri() if file else None


def _options(store: str) -> str:
    found = _SQLITE.fullmatch(store)
    return (found["options"] or "") if found else ""


def _is_path(store: str) -> bool:
    """Whether an address is a path, and not a URL or a word such as `databricks`."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.\-]+:", store) is None and (os.sep in store or store.startswith((".", "~")))


def _decode_path(path: str) -> str:
    return unquote(path) if _sqlalchemy_decodes_paths() else path


@cache
def _sqlalchemy_decodes_paths() -> bool:
    """Whether SQLAlchemy decodes the path in an address (since 2.1)."""
    return tuple(int(part) for part in version("sqlalchemy").split(".")[:2]) >= (2, 1)
