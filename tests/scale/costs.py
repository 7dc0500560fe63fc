"""What claims, folders and tracking cost, measured: `python -m pytest tests/scale/costs.py -s -m ""` prints a table.

These are no tests: nothing is compared. Times are processor time of this process or of the server, which other work on
the machine does not change much; docs/scale.md has the numbers, and what they mean for many workers.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from allmodes import Experiment, compare
from allmodes.experiments.settings import Setup
from allmodes.runs.claims import Watch
from allmodes.runs.run_folder import RunFolder
from allmodes.studies.claiming import claims_folder
from allmodes.studies.joining import Unclaimed
from allmodes.studies.study import Study, StudyEntry
from server import Server
from test_tracking_postgres import database
from tiny import SPEC

__all__ = ["database"]

RUNS, RUSH = 1000, 40


def _cost(what: str, act: Callable[[], object], times: int = 1) -> None:
    began, cpu = time.monotonic(), time.process_time()
    for _ in range(times):
        act()
    took, cpu = (time.monotonic() - began) / times, (time.process_time() - cpu) / times
    print(f"{what}: {1000 * cpu:.2f} ms of a core, {1000 * took:.2f} ms by the clock")


def _study(folder: Path, runs: int = RUNS) -> Study:
    spec = Experiment.from_spec({**SPEC, "seeds": list(range(runs))}).spec
    return Study("costs", folder, (StudyEntry("costs", spec, folder / "costs", "costs"),), "costs-1")


def test_claims(tmp_path: Path) -> None:
    study = _study(tmp_path)
    names, watch = [run.name for run in study.runs], Watch(claims_folder(study))
    held = []
    _cost("a claim, taken", lambda: held.append(watch.take(names[len(held)])), RUNS)
    beats = iter(held)
    _cost("a sign of life", lambda: next(beats).beat(), RUNS)
    print(f"a claim's file: {held[0].file.stat().st_size} bytes")
    for _ in range(2):
        _cost(f"a look at {RUNS} claims", lambda: [watch.holder(name) for name in names])

    def look() -> object:
        return Unclaimed(study, 1, lambda _: {}, lambda *_: None, waits=False).take()

    _cost(f"a look for work in a study of {RUNS} runs that others hold", look)
    for claim in held:
        claim.release()
    _cost(f"a look for work in a study of {RUNS} runs that are free", look)


def test_a_rush(tmp_path: Path) -> None:
    study, rounds = _study(tmp_path, RUSH), 0
    waiting = [Unclaimed(study, 1, lambda stack: {"run": stack[0].name}, lambda *_: None) for _ in range(RUSH)]
    while waiting:  # in each round all look, and then all try to claim what they saw
        asked = [(one, str((one.take() or {})["run"])) for one in waiting]
        waiting = [one for one, name in asked if Watch(claims_folder(study)).take(name) is None]
        for one, name in asked:
            one.put_back(name)
        rounds += 1
    print(f"{RUSH} commands that begin together with {RUSH} runs: after {rounds} looks each has one")


@pytest.mark.parametrize("recipe", ["gan/ring", "gan/digits"])
def test_storage(recipe: str, tmp_path: Path) -> None:
    changes = [
        "training.iterations=200",
        "training.checkpoints.every=100",
        "evaluation.every=100",
        "training.threads=1",
    ]
    experiment = Experiment.from_recipe(recipe, changes, folder=tmp_path, track=False, setup=Setup(named="run"))
    run = RunFolder(experiment.run([0]).folder).of_seed(0)
    files = [file for file in run.path.rglob("*") if file.is_file()]
    print(f"{recipe}: {len(files)} files, {sum(file.stat().st_size for file in files):,} bytes after 200 iterations")
    for saved in run.checkpoints[:1]:
        within = [file.stat().st_size for file in saved.iterdir()]
        print(f"{recipe}: a checkpoint: {len(within)} files, {sum(within):,} bytes")
    lines = run.metrics.read_text().splitlines()
    print(f"{recipe}: a line of the log: {sum(map(len, lines)) // len(lines)} bytes")


def test_tracking(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, files = {**SPEC, "training": {**SPEC["training"], "iterations": 1000, "log_every": 10}}, []
    for name in ("a", "b"):
        files.append(str(tmp_path / f"{name}.json"))
        Path(files[-1]).write_text(Experiment.from_spec({**spec, "name": name, "seeds": [0, 1]}).spec.model_dump_json())
    server = Server(tmp_path, database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.address)  # where nobody answers yet: all waits
    study = compare(files, folder=tmp_path / "study", jobs=1, figures=False).study
    server.start(900)
    assert server.process is not None
    try:
        for runs in ([study.runs[0]], study.runs[1:]):
            calls, cpu, began = _calls(server), _cpu(server.process.pid), time.monotonic()
            senders = [subprocess.Popen([sys.executable, "-m", "allmodes", "sync", str(run.folder)]) for run in runs]
            assert {sender.wait() for sender in senders} == {0}
            calls, took = _calls(server) - calls, time.monotonic() - began
            each = 1000 * (_cpu(server.process.pid) - cpu) / calls
            print(f"{len(runs)} senders: {calls / len(runs):.0f} calls a run of 100 logged iterations, {took:.0f} s")
            print(f"{len(runs)} senders: {each:.1f} ms of a core of the server for a call, without the database's")
    finally:
        server.kill()


def _calls(server: Server) -> int:
    return (server.folder / "server.log").read_text().count("HTTP/1.1")


def _cpu(pid: int) -> float:
    process = psutil.Process(pid)
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)
