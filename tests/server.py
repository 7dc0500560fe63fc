"""A real MLflow server that a test starts, stops and kills."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tracked import free_port

ENVIRONMENT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONWARNINGS": "ignore",
}


class Server:
    """`mlflow server` on a store, in a process group of its own."""

    def __init__(self, folder: Path, store: str) -> None:
        self.folder, self.port = folder, free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {
            **os.environ,
            **ENVIRONMENT,
            "MLFLOW_BACKEND_STORE_URI": store,
            "MLFLOW_ARTIFACTS_DESTINATION": (folder / "mlartifacts").as_uri(),
        }
        self.environment.pop("MLFLOW_TRACKING_URI", None)

    def start(self, seconds: float = 180) -> None:
        """Start it and wait until it answers."""
        self.begin()
        deadline = time.monotonic() + seconds
        while not self.answers():
            assert time.monotonic() < deadline, (self.folder / "server.log").read_text()
            time.sleep(0.2)

    def begin(self) -> None:
        """Start it."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        log = (self.folder / "server.log").open("ab")
        self.process = subprocess.Popen(
            [*command, "--workers", "1"], env=self.environment, stdout=log, stderr=log, start_new_session=True
        )

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        """Let it hang."""
        self._send(signal.SIGSTOP)

    def go_on(self) -> None:
        """End the hanging."""
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it and its helpers."""
        if self.process is not None:
            self._send(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _send(self, number: int) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, number)
