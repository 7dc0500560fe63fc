"""A study that several commands train: each run once, whoever dies or stands still, and one table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from allmodes import Experiment, compare
from allmodes.cli.main import execute
from allmodes.registry.registry import installed
from allmodes.runs.claims import CLAIMS, Holder, Watch
from allmodes.runs.lock import lock_folder
from allmodes.runs.run import RunError
from allmodes.runs.run_folder import RunFolder
from allmodes.studies.joining import Unclaimed
from allmodes.studies.stored import load_written
from allmodes.studies.study import Study, StudyEntry
from allmodes.testing.interrupted import equal_runs
from tiny import SPEC
from tiny_study import write_specs


@pytest.fixture
def specs(tmp_path: Path) -> Callable[[int], list[str]]:
    """Two specs of so many iterations, as files."""

    return partial(write_specs, tmp_path)


def test_a_joined_study_ends_like_any_other(specs: Callable[[int], list[str]], tmp_path: Path) -> None:
    files, folder = specs(20), tmp_path / "study"
    found = compare(files, folder=folder, on="join", jobs=1, track=False, figures=False)
    assert found.status == "finished"
    watch = Watch(folder / CLAIMS)
    assert [watch.attempts(run.name) for run in found.study.runs] == [1, 1, 1, 1]
    assert [watch.holder(run.name) for run in found.study.runs] == [None] * 4
    assert "plain" in (folder / "table.md").read_text()
    again = load_written(folder, installed())
    assert [entry.name for entry in again.entries] == ["plain", "pairs"]
    assert (again.id, again.name) == (found.study.id, found.study.name)


def test_the_run_of_a_host_that_died_is_taken_over(
    specs: Callable[[int], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_LEASE", "8")
    files, folder = specs(20), tmp_path / "study"
    (folder / CLAIMS).mkdir(parents=True)
    (folder / CLAIMS / "plain.seed-0.0").write_text(Holder(host="far", machine="far", pid=7).model_dump_json())
    found = compare(files[:1], folder=folder, on="join", jobs=1, seeds=[0], track=False, figures=False)
    assert found.status == "finished"
    assert Watch(folder / CLAIMS).attempts("plain/seed-0") == 2


def test_commands_that_share_a_study_do_not_all_take_the_same_run(tmp_path: Path) -> None:
    spec = Experiment.from_recipe("gan/ring", ["seeds=[0,1,2,3]"]).spec
    study = Study("x", tmp_path, (StudyEntry("x", spec, tmp_path / "x", "x"),), "x-1")

    def take() -> str:
        task = Unclaimed(study, 1, lambda stack: {"run": stack[0].name}, lambda *_: None).take()
        assert task is not None
        return str(task["run"])

    assert {take() for _ in range(5)} == {"x/seed-0"}  # nobody else is there: in their order
    assert Watch(tmp_path / CLAIMS).take("x/seed-0") is not None
    assert {take() for _ in range(60)} == {"x/seed-1", "x/seed-2", "x/seed-3"}


@pytest.mark.usefixtures("one_process")
def test_a_run_that_fails_is_tried_three_times(specs: Callable[[int], list[str]], tmp_path: Path) -> None:
    files, folder = specs(20), tmp_path / "study"
    change = "training.optimizer={kind: sgd, lr: 1.0e30}"
    found = compare(files[:1], overrides=[change], seeds=[0], folder=folder, on="join", jobs=1, track=False)
    assert found.status == "failed"
    assert Watch(folder / CLAIMS).attempts("plain/seed-0") == 3


def test_others_cannot_train_a_joined_study_by_themselves(
    specs: Callable[[int], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_LEASE", "60")
    files, folder = specs(20), tmp_path / "study"
    (folder / CLAIMS).mkdir(parents=True)
    holder = Holder(host="far", machine="far", pid=7)
    ended = threading.Event()

    def beat() -> None:
        holder.beats += 1
        (folder / CLAIMS / ".beside").write_text(holder.model_dump_json())
        (folder / CLAIMS / ".beside").replace(folder / CLAIMS / "plain.seed-1.0")

    def live() -> None:
        while not ended.wait(0.1):
            beat()

    beat()  # before anybody looks
    thread = threading.Thread(target=live)
    thread.start()
    message = (
        f"{folder} is being trained by commands that share it (process 7 on far has plain/seed-1): "
        "join them with --on join, or wait until they have ended"
    )
    try:
        with pytest.raises(RunError) as raised:
            compare(files, folder=folder, jobs=1, track=False)
        assert str(raised.value) == message
    finally:
        ended.set()
        thread.join()
    monkeypatch.setenv("ALLMODES_LEASE", "8")
    found = compare(files[:1], folder=folder, jobs=1, seeds=[1], track=False, figures=False)  # the holder is dead now
    assert found.status == "finished"


@pytest.mark.usefixtures("one_process")
def test_a_joined_study_takes_new_settings_and_keeps_others_methods(
    specs: Callable[[int], list[str]], tmp_path: Path
) -> None:
    files, folder = specs(20), tmp_path / "study"
    compare(files[:1], folder=folder, on="join", jobs=1, seeds=[0], track=False, figures=False)
    longer = ["training.iterations=40", "evaluation.every=40"]
    options = {"folder": folder, "on": "join", "jobs": 1, "seeds": [0], "track": False, "figures": False}
    assert compare(files[:1], overrides=longer, **options).status == "finished"
    assert compare(files[1:], **options).status == "finished"
    table = (folder / "table.md").read_text()
    assert "| plain |" in table
    assert "| pairs |" in table
    holder = Holder(host="far", machine="far", pid=7)
    (folder / CLAIMS / "plain.seed-0.2").write_text(holder.model_dump_json())
    with pytest.raises(RunError) as raised:
        compare(files[:1], overrides=["training.iterations=60", "evaluation.every=60"], **options)
    assert str(raised.value) == (
        f"{folder / 'plain' / 'spec.yaml'} has other settings, and process 7 on far trains plain/seed-0 with them: "
        "join with the same settings, or wait until it has ended"
    )


@pytest.mark.usefixtures("one_process")
def test_resume_finds_a_claimed_run_locked(specs: Callable[[int], list[str]], tmp_path: Path) -> None:
    files, folder = specs(20), tmp_path / "study"
    compare(files[:1], folder=folder, on="join", jobs=1, seeds=[0], track=False, figures=False)
    run = folder / "plain" / "seed-0"
    with lock_folder(run):  # somebody trains it who has no claim
        longer = ["training.iterations=40", "evaluation.every=40"]
        found = compare(files[:1], overrides=longer, folder=folder, on="join", jobs=1, seeds=[0], track=False)
    (problem,) = found.errors.values()
    assert problem == f"RunError: {run} is being trained by another process: wait until it has ended, or end it"


def test_a_folder_without_a_study_cannot_be_joined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Experiment.from_spec(SPEC, folder=tmp_path, track=False).run([0]).folder
    assert execute(["work", str(run)]) == 2
    message = f"error: {run}: no study lies there: `allmodes compare ... --on join` begins one\n"
    assert capsys.readouterr().err == message


class Crew:
    """Commands that train one study, each in a session of its own."""

    def __init__(self, files: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        self.files, self.folder, self.environment = files, folder, {**os.environ, **environment, "ALLMODES_LEASE": "6"}
        self.members: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        """Start one more."""
        options = ["--on", "join", "--jobs", "1", "--no-tracking", "--no-figures", "-q", "--folder", str(self.folder)]
        words = [sys.executable, "-m", "allmodes", "compare", *self.files, *options]
        log = (self.folder.parent / f"log-{len(self.members)}").open("wb")
        self.members.append(subprocess.Popen(words, env=self.environment, stdout=log, stderr=log))
        return self.members[-1]

    def signal(self, member: subprocess.Popen[bytes], number: int) -> None:
        """Send a signal to a member and to its workers."""
        for process in [*psutil.Process(member.pid).children(recursive=True), psutil.Process(member.pid)]:
            with suppress(psutil.Error):
                process.send_signal(number)

    def holders(self) -> dict[int, str]:
        """The runs that are claimed, by the process that holds them."""
        watch = Watch(self.folder / CLAIMS)
        names = [f"{name}/seed-{seed}" for name in ("plain", "pairs") for seed in (0, 1)]
        return {holder.pid: name for name in names if (holder := watch.holder(name)) is not None}

    def held_by(self, member: subprocess.Popen[bytes]) -> str | None:
        """The run that a member's worker trains."""
        own = {process.pid for process in psutil.Process(member.pid).children(recursive=True)}
        return next((name for pid, name in self.holders().items() if pid in own), None)

    def close(self) -> None:
        """End all that are left."""
        for member in self.members:
            with suppress(psutil.Error):
                self.signal(member, signal.SIGKILL)
            member.wait()


def _await(what: str, happens: Callable[[], object], seconds: float = 300) -> None:
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, f"{what} did not happen"
        time.sleep(0.2)


@pytest.fixture
def crew(specs: Callable[[int], list[str]], tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Crew]:
    """Commands that train two specs with two seeds."""
    made = Crew(specs(4000), tmp_path / "study", {"ALLMODES_LOCKS": request.param})
    yield made
    made.close()


def _is_saved(folder: Path, run: str | None) -> bool:
    return run is not None and any((folder / run / "checkpoints").glob("[0-9]*"))


@pytest.mark.slow
@pytest.mark.parametrize("crew", ["on", "off"], indirect=True)
def test_one_is_killed_and_one_stands_still(crew: Crew, specs: Callable[[int], list[str]], tmp_path: Path) -> None:
    """Acceptance of joining: of three commands one is killed, one stopped and woken after its run was taken over."""
    killed, stopped, last = crew.start(), crew.start(), crew.start()
    _await("three claims with checkpoints", lambda: all(_is_saved(crew.folder, crew.held_by(m)) for m in crew.members))
    lost = [crew.held_by(killed), crew.held_by(stopped)]
    crew.signal(killed, signal.SIGKILL)
    crew.signal(stopped, signal.SIGSTOP)
    assert last.wait(600) == 0
    crew.signal(stopped, signal.SIGCONT)
    assert stopped.wait(300) == 0

    study = load_written(crew.folder, installed())
    assert [run.state for run in study.runs] == ["finished"] * 4
    watch = Watch(crew.folder / CLAIMS)
    assert {run.name: watch.attempts(run.name) for run in study.runs} == {
        run.name: 2 if run.name in lost else 1 for run in study.runs
    }
    for run in study.runs:
        assert _starts(run.folder) == [0] if run.name not in lost else _starts(run.folder)[1] >= 100
    compare(specs(4000), folder=tmp_path / "unbroken", jobs=1, track=False, figures=False)
    for run in study.runs:
        assert equal_runs(run.folder, tmp_path / "unbroken" / run.name)
    table = (crew.folder / "table.csv").read_text().splitlines()
    unbroken = (tmp_path / "unbroken" / "table.csv").read_text().splitlines()
    assert [line for line in table if "seconds" not in line] == [line for line in unbroken if "seconds" not in line]


def _starts(run: Path) -> list[int]:
    """The iterations at which attempts of a run began, by its log."""
    lines = [json.loads(line) for line in RunFolder(run).metrics.read_text().splitlines()]
    return [line["iteration"] for line in lines if line.get("event") == "start"]
