"""Stores that several test modules track runs in."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from allmodes.tracking.sender import open_store
from tracked import Recorder, Training


@pytest.fixture(scope="session")
def opened_together(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A database that two processes created at once, and what they said; once, since MLflow takes seconds for it."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    code = f"from allmodes.tracking.sender import open_store; open_store('sqlite:///{file}')"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    processes = [subprocess.Popen([sys.executable, "-c", code], **pipes, text=True) for _ in range(2)]
    return file, "".join(process.communicate()[0] for process in processes)


@pytest.fixture
def store(opened_together: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
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
