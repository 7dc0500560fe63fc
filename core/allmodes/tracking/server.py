"""MLflow's UI on the store that runs are logged to."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

from allmodes.text import redact
from allmodes.text.printable import printable
from allmodes.tracking.address import (
    ENVIRONMENT,
    absolute,
    artifacts,
    default_store,
    for_mlflow,
    sqlite_file,
    without_secrets,
)
from allmodes.tracking.view import pages

LAST_OUTPUT = 2.0  # s for the last output of a server that ended


class TrackingError(Exception):
    """A store, its UI or a tracked model cannot be used; the message has the reason and the remedy."""


def ui(store: str | None = None, host: str = "127.0.0.1", port: int = 5000) -> int:
    """Serve the MLflow UI of a store until Ctrl-C.

    Args:
        store: Address of the store; by default where runs are logged to.
        host: Interface to listen on; the default is reached from this machine only.
        port: Port to listen on.

    Returns:
        The exit code: 0 after Ctrl-C, or where a server is there already.

    Raises:
        TrackingError: There are no runs yet, or the port is taken.
    """
    store = absolute(store or default_store())
    if store.startswith(("http://", "https://")):
        _print(f"The MLflow server of this store is already there: {without_secrets(store)}")
        return 0
    _check_store(store)
    _check_port(host, port)
    _print(f"MLflow UI: http://{host}:{port} (Ctrl-C ends it), runs of {without_secrets(store)}")
    for what, place in pages(store).items():
        _print(f"{what}: http://{host}:{port}/{place}")
    return _serve(store, host, port)


def _print(line: str) -> None:
    print(printable(line), flush=True)


def _check_store(store: str) -> None:
    file = sqlite_file(store)
    if file is not None and not file.exists():
        raise TrackingError(f"no runs yet: {file} does not exist; start one with `allmodes run gan/ring`")


def _check_port(host: str, port: int) -> None:
    """Bind the port for a moment: MLflow's own message comes late and buried in a traceback."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} on {host} is in use: choose another with --port {port + 1}"
        else:
            message = f"cannot listen on {host}, port {port}: {error.strerror or error}"
        raise TrackingError(message) from error


def _serve(store: str, host: str, port: int) -> int:
    with contextlib.suppress(ValueError):  # only the main thread may
        for number in (signal.SIGINT, signal.SIGTERM):  # a background job starts with Ctrl-C ignored
            signal.signal(number, signal.default_int_handler)
    command = [sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"]
    command += ["--uvicorn-opts", "--log-level warning"]
    # A session of its own: Ctrl-C reaches us alone, and we end the server and its helpers in order.
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "errors": "replace"}
    server = subprocess.Popen(command, env=_environment(store), start_new_session=True, **pipes)  # noqa: S603
    repeating = threading.Thread(target=_print_output, args=(server,), daemon=True)
    repeating.start()
    try:
        code = server.wait()
        repeating.join(LAST_OUTPUT)
        return code
    except KeyboardInterrupt:
        _end(server)
        return 0


def _print_output(server: subprocess.Popen[str]) -> None:
    """Print the server's output without the store's password: MLflow's errors hold the whole address."""
    assert server.stdout is not None
    for line in server.stdout:
        sys.stderr.write(redact.text(line))
        sys.stderr.flush()


def _environment(store: str) -> dict[str, str]:
    """The server's environment, with the store's address: on the command line everybody would see its password."""
    ours = dict.fromkeys(("MLFLOW_BACKEND_STORE_URI", "MLFLOW_REGISTRY_STORE_URI"), for_mlflow(store))
    ours |= {"PYTHONUNBUFFERED": "1"}  # its output goes through a pipe
    ours |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}  # jobs take 2 GB and serve none
    if (beside := artifacts(store)) is not None:
        ours["MLFLOW_ARTIFACTS_DESTINATION"] = beside
    return ENVIRONMENT | dict(os.environ) | ours


def _end(server: subprocess.Popen[str]) -> None:
    """End the server and its helpers, by SIGKILL if SIGTERM is not enough."""
    for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(server.pid, number) if hasattr(os, "killpg") else server.terminate()
            server.wait(timeout=10)
            return
