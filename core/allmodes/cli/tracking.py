"""Commands about MLflow: `sync` and `ui`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from allmodes.cli.console import FAILED, OK, print_error, print_line, print_warning
from allmodes.cli.runs import RUNS, take_latest
from allmodes.specs.loading import SpecError
from allmodes.system.paths import near


def sync(
    folders: Annotated[
        list[Path] | None, Parameter(help="folders of runs, or that hold runs, or latest; default: runs")
    ] = None,
    *,
    store: Annotated[str | None, Parameter(help="another store, which gets all; default: each run's own")] = None,
) -> int:
    """Send to MLflow what could not be sent while runs trained."""
    from allmodes import tracking

    named = [Path(take_latest(str(folder), "any")) for folder in folders or [RUNS]]
    return tracking.sync(named, store, print_line, print_error, print_warning)


def register(
    run: Annotated[Path, Parameter(help="a run's folder, one that holds runs, or latest")],
    name: Annotated[str, Parameter(help="of the registered model, which is made if it is new")],
    *,
    checkpoint: Annotated[str | None, Parameter(help="best, or an iteration; default: the model at the end")] = None,
    by: Annotated[str, Parameter(help="the metric that decides, such as w1; default: the spec's, in order")] = "",
) -> int:
    """Register a run's model in MLflow's registry, of several runs the best one's."""
    from allmodes import tracking
    from allmodes.registry.registry import installed

    print_line(str(tracking.register(Path(take_latest(str(run))), name, installed(), checkpoint, by)))
    return OK


def check_register(name: str | None, tracked: bool) -> None:
    """Check `--register`, before anything is trained."""
    if name is None:
        return
    if not tracked:
        raise SpecError("--register needs MLflow: leave out --no-tracking")
    from allmodes import tracking

    tracking.check_name(name)


def register_trained(folder: Path, name: str | None, code: int, say: Callable[[str], None] = print_line) -> int:
    """Register the model of a training that ended with an exit code, if `--register` names one; returns the code."""
    if name is None:
        return code
    if code != OK:
        print_error(f"no model is registered, since not all is trained: `allmodes register {near(folder)} {name}`")
        return code
    from allmodes import tracking
    from allmodes.registry.registry import installed

    try:
        say(f"model    {tracking.register(folder, name, installed())}")
    except tracking.TrackingError as error:
        print_error(str(error))
        return FAILED
    return OK


def ui(
    *,
    store: Annotated[str | None, Parameter(help="tracking URI; default: MLFLOW_TRACKING_URI or ./mlflow.db")] = None,
    host: Annotated[str, Parameter(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="port to listen on")] = 5000,
) -> int:
    """Open the MLflow UI on the store that runs are logged to."""
    from allmodes import tracking

    return tracking.ui(store, host, port)
