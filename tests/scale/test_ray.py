"""Acceptance of Ray, on a cluster of this machine: a worker is killed, and its run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from allmodes import compare
from allmodes.registry.registry import installed
from allmodes.runs.run import RunError
from allmodes.studies.stored import load_written
from allmodes.testing.interrupted import equal_runs
from tiny_study import LONG, write_specs

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (README.md here)")


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_ray_that_is_not_installed_is_named(tmp_path: Path) -> None:
    write_specs(tmp_path, 20)
    with pytest.raises(RunError, match=r"^--on ray: ray is not installed: pip install 'allmodes\[ray\]'$"):
        compare([str(tmp_path / "plain.yaml")], folder=tmp_path / "study", on="ray", track=False, figures=False)


def _start(folder: Path, iterations: int) -> subprocess.Popen[bytes]:
    write_specs(folder, iterations)
    words = [sys.executable, "-m", "allmodes", "compare", str(folder / "plain.yaml"), "--folder", str(folder / "study")]
    words += ["--on", "ray", "--ask", "workers=2", "--no-tracking", "--no-figures", "--quiet"]
    return subprocess.Popen(words, env={**os.environ, "ALLMODES_REFERENCES": "off"})


def _await(what: str, happens: Callable[[], object], seconds: float = 1800) -> None:
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, f"{what} did not happen"
        time.sleep(0.3)


def _check(folder: Path) -> None:
    study = load_written(folder / "study", installed())
    assert [run.state for run in study.runs] == ["finished"] * 2
    compare([str(folder / "plain.yaml")], folder=folder / "unbroken", jobs=1, track=False, figures=False)
    assert all(equal_runs(run.folder, folder / "unbroken" / run.name) for run in study.runs)


@pytest.mark.slow
@needs_ray
@pytest.mark.parametrize("whom", ["allmodes.studies.worker", "ray::take_part"])
def test_a_worker_is_killed(whom: str, tmp_path: Path) -> None:
    command = _start(tmp_path, LONG // 3)
    saved = tmp_path.glob
    _await("two checkpoints", lambda: len({p.parts[-3] for p in saved("study/plain/seed-*/checkpoints/[0-9]*")}) == 2)
    own = psutil.Process(command.pid).children(recursive=True)
    next(p for p in own if any(whom in word for word in p.cmdline())).kill()
    assert command.wait(3600) == 0
    _check(tmp_path)


@pytest.mark.slow
@needs_ray
def test_ctrl_c_saves_and_the_same_command_goes_on(tmp_path: Path) -> None:
    command = _start(tmp_path, LONG // 3)
    _await("a checkpoint", lambda: list(tmp_path.glob("study/plain/seed-*/checkpoints/[0-9]*")))
    command.send_signal(signal.SIGINT)
    assert command.wait(900) == 130
    assert _start(tmp_path, LONG // 3).wait(3600) == 0
    _check(tmp_path)
