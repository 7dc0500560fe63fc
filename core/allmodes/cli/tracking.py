"""Commands about MLflow: `sync` and `ui`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from allmodes.cli.console import print_error, print_line, print_warning


def sync(
    folders: Annotated[list[Path] | None, Parameter(help="folders of runs, or that hold runs; default: runs")] = None,
    *,
    store: Annotated[str | None, Parameter(help="another store, which gets all; default: each run's own")] = None,
) -> int:
    """Send to MLflow what could not be sent while runs trained."""
    from allmodes import tracking

    return tracking.sync(folders or [Path("runs")], store, print_line, print_error, print_warning)


def ui(
    *,
    store: Annotated[str | None, Parameter(help="tracking URI; default: MLFLOW_TRACKING_URI or ./mlflow.db")] = None,
    host: Annotated[str, Parameter(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="port to listen on")] = 5000,
) -> int:
    """Open the MLflow UI on the store that runs are logged to."""
    from allmodes import tracking

    return tracking.ui(store, host, port)
