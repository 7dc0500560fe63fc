"""Stores that several test modules track runs in."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from allmodes.experiments import logs
from allmodes.tracking.sender import open_store
from one_process import in_one_process
from tracked import Recorder, Training


@pytest.fixture(autouse=True)
def _no_log() -> None:
    """Begin each test without the log that a command of an earlier one began."""
    logs.stop()


@pytest.fixture
def one_process() -> Iterator[None]:
    """Train studies in the process of the test."""
    with in_one_process():
        yield


@pytest.fixture(scope="session")
def opened_together(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A database that two processes created at once, and what they printed; once for all workers of a test run."""
    base, run = tmp_path_factory.getbasetemp(), os.environ.get("PYTEST_XDIST_TESTRUNUID")
    folder = (base.parent if run else base) / f"mlflow-{run}"
    file, printed = folder / "alone" / "mlflow.db", folder / "printed.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not printed.exists():
            printed.write_text(_open_together(file))
    return file, printed.read_text()


def _open_together(file: Path) -> str:
    code = f"from allmodes.tracking.sender import open_store; open_store('sqlite:///{file}')"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    processes = [subprocess.Popen([sys.executable, "-c", code], **pipes, text=True) for _ in range(2)]
    return "".join(process.communicate()[0] for process in processes)


@pytest.fixture
def store(opened_together: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    return f"sqlite:///{shutil.copy(opened_together[0], tmp_path / 'mlflow.db')}"


@pytest.fixture
def client(store: str) -> Any:
    return open_store(store).client


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def observer(store: str, warnings: list[str]) -> Iterator[Training]:
    observer = Training(store, warnings.append)
    yield observer
    observer.close()
    assert warnings == []


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """The store that `sync` opens, in memory."""
    recorder = Recorder()
    monkeypatch.setattr(sys.modules["allmodes.tracking.sync"], "open_store", lambda *_: recorder)  # hidden by `sync`
    return recorder
