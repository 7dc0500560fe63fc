"""A store that fails costs no training: what it does not take waits on disk and arrives later, once."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from allmodes.cli.main import execute
from allmodes.runs import line_file
from allmodes.runs.journal import Journal
from allmodes.runs.line_file import LineFile
from allmodes.runs.run import Run
from allmodes.tracking import TrackingError, reading, sender, sync
from allmodes.tracking.events import Damaged, Description, Numbers, describe, parse
from allmodes.tracking.selection import Selection
from allmodes.tracking.sender import open_store
from allmodes.tracking.spool import Spool
from server import Server
from tracked import FINISHED, Training, files, free_port, logged, picture, runs_in


@pytest.fixture(scope="session")
def opened_server(opened_together: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server on a database of its own; it takes 10 to 20 s to start."""
    folder = tmp_path_factory.mktemp("server")
    server = Server(folder, f"sqlite:///{folder / 'mlflow.db'}")
    (folder / "mlflow.db").write_bytes(opened_together[0].read_bytes())
    server.start()
    yield server
    server.kill()


@pytest.fixture
def server(opened_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    """The server, with an experiment for this test and short waits."""
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", tmp_path.name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setattr(sender, "PERIOD", 0.2)
    return opened_server


def tell(observer: Training, run: Run, first: int, last: int) -> None:
    """Numbers and a picture for each iteration."""
    for iteration in range(first, last + 1):
        observer.allmodes_metrics_logged(run, iteration, {"train/generator": iteration / 2, "time/seconds": 1.0})
    (run.folder / "figures").mkdir(exist_ok=True)
    figure = picture(run.folder / "figures" / f"samples-{last:08d}.png")
    observer.allmodes_samples_drawn(run, last, figure)


def whole(client: Any, name: str, last: int, pictures: int) -> tuple[Any, Any]:
    """Check that all of a run arrived, once; returns the experiment's run and its own."""
    parent, (child,) = logged(client, name)
    for key in ("train/generator", "time/seconds"):
        history = client.get_metric_history(child.info.run_id, key)
        assert sorted(point.step for point in history) == list(range(1, last + 1))
    assert len(files(client, child, "images")) == 2 * pictures
    assert len(client.get_metric_history(child.info.run_id, "modes")) == 1
    assert (parent.info.status, child.info.status) == ("FINISHED", "FINISHED")
    return parent, child


def wait_for(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# A store that refuses


def test_a_store_that_is_not_there_costs_a_warning_and_nothing_is_lost(
    tmp_path: Path, store: str, client: Any, warnings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (run,) = runs_in(tmp_path, 0)
    place = tmp_path / "store"
    place.touch()  # a file where the store's folder should be
    observer = Training(f"sqlite:///{place}/mlflow.db", warnings.append)
    observer.allmodes_run_started(run)
    tell(observer, run, 1, 20)
    observer.allmodes_run_finished(run, FINISHED)
    observer.close()
    address, place = f"sqlite:///{place}/mlflow.db", run.folder
    assert warnings == [
        f"MLflow: cannot write to {address} (File exists). Training goes on; what is not sent waits in {place} and is "
        "sent when the store answers.",
        f"MLflow: 23 events wait in {place}; `allmodes sync {place}` sends them to {address} when it answers.",
    ]
    assert execute(["sync", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    line = f"error: {run.folder}: cannot write to {address} (File exists); 23 events still wait here\n"
    assert captured.err == line
    assert execute(["sync", str(tmp_path), "--store", store]) == 0
    assert capsys.readouterr().out == f"{run.folder}: 23 events were sent to {store}\n"
    assert execute(["sync", str(tmp_path), "--store", store]) == 0
    assert capsys.readouterr().out == f"{run.folder}: nothing is left to send\n"
    whole(client, "allmodes", 20, pictures=1)


def test_a_server_that_refuses_is_named_without_its_password(
    tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    address = f"127.0.0.1:{free_port()}"
    (run,) = runs_in(tmp_path, 0)
    observer = Training(f"http://me:secret@{address}", warnings.append)
    observer.allmodes_run_started(run)
    wait_for(lambda: warnings)
    observer.close()
    assert [warning.partition(" (")[0] for warning in warnings[:1]] == [
        f"MLflow: cannot write to http://me:***@{address}"
    ]
    assert "(Connection refused)" in warnings[0]
    assert "secret" not in "".join(path.read_text() for path in run.folder.iterdir()) + "".join(warnings)
    assert capfd.readouterr().err == ""
    with pytest.raises(TrackingError) as caught:
        sync([tmp_path], None, print, print)
    message = f"{run.folder} was logged to http://me:***@{address}: set MLFLOW_TRACKING_URI to that with the password"
    assert str(caught.value) == message


def test_sync_prints_a_line_for_each_run_without_a_password(
    tmp_path: Path, warnings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for run in runs_in(tmp_path, 0, 1):
        observer = Training(f"http://me:secret@127.0.0.1:{free_port()}", warnings.append)
        observer.allmodes_run_started(run)
        observer.close()
    assert execute(["sync", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("set MLFLOW_TRACKING_URI to that" in line for line in lines)


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_a_database_in_memory_is_refused_and_events_wait(
    address: str, tmp_path: Path, warnings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (run,) = runs_in(tmp_path, 0)
    observer = Training(address, warnings.append)
    observer.allmodes_run_started(run)
    observer.close()
    assert execute(["sync", str(tmp_path), "--store", address]) == 1
    assert "is lost when the program ends" in capsys.readouterr().err


def test_a_store_whose_receipt_was_not_written_gets_nothing_twice(store: str, client: Any, tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 0)
    observer = Training(store)
    observer.allmodes_run_started(run)
    tell(observer, run, 1, 20)
    observer.allmodes_run_finished(run, FINISHED)
    observer.close()
    before = files(client, logged(client)[1][0], "images")
    (run.folder / "mlflow.json").unlink()  # as if the process had died before noting anything
    assert sync([tmp_path], None, print, print) == 0
    _, child = whole(client, "allmodes", 20, pictures=1)
    assert files(client, child, "images") == before


def test_a_run_that_somebody_deleted_in_the_middle_is_set_aside_and_sent_anew_by_sync(
    store: str, client: Any, tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "PERIOD", 0.1)
    first, second = runs_in(tmp_path, 0, 1)
    observer = Training(store, warnings.append)
    observer.allmodes_run_started(first)
    wait_for(lambda: (first.folder / "mlflow.json").exists())
    deleted = json.loads((first.folder / "mlflow.json").read_text())["run_id"]
    client.delete_run(deleted)
    tell(observer, first, 1, 3)
    observer.allmodes_run_started(second)
    observer.allmodes_run_finished(second, FINISHED)
    observer.close()
    refusal = f"The run {deleted} must be in the 'active' state. Current state is deleted."
    assert warnings[0] == (
        f"MLflow: {store} refuses {first.folder} ({refusal}). Training goes on; what is not sent waits there, and "
        f"`allmodes sync {first.folder}` sends it."
    )
    assert sync([tmp_path], None, print, print) == 0
    _, (again, other) = logged(client)
    assert sorted(p.step for p in client.get_metric_history(again.info.run_id, "train/generator")) == [1, 2, 3]
    assert (again.info.status, other.info.status) == ("KILLED", "FINISHED")


def test_training_never_waits_for_a_database_that_another_process_locked(
    store: str, client: Any, tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allmodes.tracking.database.SQLITE_WAIT", 0.5)
    monkeypatch.setattr(sender, "PERIOD", 0.2)
    (run,) = runs_in(tmp_path, 0)
    observer = Training(store, warnings.append)
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        observer.allmodes_run_started(run)
        tell(observer, run, 1, 20)
        wait_for(lambda: warnings)
        assert not (run.folder / "mlflow.json").exists()
    wait_for(lambda: len(warnings) == 2)
    observer.allmodes_run_finished(run, FINISHED)
    observer.close()
    assert warnings == [
        f"MLflow: cannot write to {store} (database is locked). Training goes on; what is not sent waits in "
        f"{run.folder} and is sent when the store answers.",
        f"MLflow: {store} answers again; 22 events that waited were sent.",
    ]
    whole(client, "allmodes", 20, pictures=1)


# A real server


def test_a_server_that_hangs_and_goes_on_gets_everything_once(
    server: Server, tmp_path: Path, warnings: list[str]
) -> None:
    (run,) = runs_in(tmp_path, 0)
    observer = Training(server.address, warnings.append)
    server.stop()  # before the run is created: what was asked for meanwhile is done when the server wakes
    try:
        observer.allmodes_run_started(run)
        tell(observer, run, 1, 30)
        wait_for(lambda: warnings)
    finally:
        server.go_on()
    wait_for(lambda: len(warnings) == 2)
    server.stop()
    try:
        tell(observer, run, 31, 60)
        wait_for(lambda: len(warnings) == 3)
    finally:
        server.go_on()
    observer.allmodes_run_finished(run, FINISHED)
    wait_for(lambda: len(warnings) == 4)
    observer.close()
    assert ["answers again" in warning for warning in warnings] == [False, True, False, True]
    assert warnings[0].startswith(f"MLflow: cannot write to {server.address} (no answer in time). Training goes on;")
    whole(open_store(server.address).client, tmp_path.name, 60, pictures=2)


def test_a_server_that_dies_and_comes_back_gets_everything_once(
    server: Server, tmp_path: Path, warnings: list[str]
) -> None:
    (run,) = runs_in(tmp_path, 0)
    observer = Training(server.address, warnings.append)
    observer.allmodes_run_started(run)
    tell(observer, run, 1, 30)
    server.kill()
    tell(observer, run, 31, 60)
    observer.allmodes_run_finished(run, FINISHED)
    observer.close(timeout=2)
    assert warnings[-1].endswith(f"`allmodes sync {run.folder}` sends them to {server.address} when it answers.")
    server.start()
    assert sync([run.folder], None, print, print) == 0
    whole(open_store(server.address).client, tmp_path.name, 60, pictures=2)


# A process that dies


def child(code: str, folder: Path, store: str) -> "subprocess.Popen[str]":
    """A process that tracks the run of seed 0 in a folder, and then does what `code` says."""
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import os, time
from tracked import *
(run,) = runs_in(Path({str(folder)!r}), 0)
observer = Training({store!r}, lambda text: print(text, flush=True))
observer.allmodes_run_started(run)
{code}
"""
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def test_a_process_that_was_killed_is_ended_by_sync_and_goes_on_when_it_is_resumed(
    store: str, client: Any, tmp_path: Path
) -> None:
    code = """
for iteration in range(1, 21):
    observer.allmodes_metrics_logged(run, iteration, {"train/generator": iteration / 2, "time/seconds": 1.0})
print("trained", flush=True)
time.sleep(60)
"""
    said: list[str] = []
    with child(code, tmp_path, store) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "trained\n"
        assert sync([tmp_path], None, said.append, said.append) == 0
        process.kill()
    folder = tmp_path / "seed-0"
    assert said == [f"{folder}: is being sent by another process"]
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('\0\0\n{"iterat')  # the disk holds half of what was written last
    assert sync([tmp_path], None, said.append, said.append) == 0
    parent, (killed,) = logged(client)
    assert (parent.info.status, killed.info.status) == ("KILLED", "KILLED")
    assert killed.data.tags["allmodes.error"] == "its process was killed"
    resumed(store, folder)
    _, run = whole(client, "allmodes", 30, pictures=1)
    assert run.info.run_id == killed.info.run_id
    assert run.data.tags["allmodes.error"] == ""


def resumed(store: str, folder: Path) -> None:
    """Go on from a checkpoint at iteration 10, in this process."""
    run = replace(runs_in(folder / "again", 0)[0], folder=folder, iteration=10)
    observer = Training(store)
    observer.allmodes_run_started(run)
    tell(observer, run, 11, 30)
    observer.allmodes_run_finished(run, FINISHED)
    observer.close()


def test_values_of_an_earlier_attempt_are_not_sent_again(tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 0)
    log = Journal(run.folder / "metrics.jsonl", pytest.fail)

    def begin(iteration: int) -> None:
        log.start(iteration)
        log.add("mlflow", **describe(run, "http://host"))

    begin(0)
    log.write(5, {"a": 1.0, "b": 1.0})
    log.figure(5, run.folder / "x-00000005.png")
    begin(3)
    log.write(4, {"a": 1.0})
    log.figure(5, run.folder / "x-00000005.png")
    log.write(5, {"b": 1.0, "c": 3.0})
    log.figure(6, run.folder / "x-00000006.png")
    log.end(vars(FINISHED))
    log.write(5, {"b": 4.0})  # measured again
    log.write(5, {"b": 5.0}, tracked=False)
    log.start(6)  # an attempt without tracking
    log.write(7, {"a": 7.0})
    selection = Selection()
    taken = [selection.take(event) for event, _ in reading.read(run.folder, pytest.fail)]
    new = [event for event in taken if event is not None and not isinstance(event, Description)]
    assert [getattr(event, "values", event.iteration) for event in new if not isinstance(event, Damaged)] == [
        {"a": 1.0, "b": 1.0}, 5, {"c": 3.0}, 6, 20, {"b": 4.0},
    ]  # fmt: skip


def test_a_run_that_another_process_sends_is_taken_over_when_it_lets_go(tmp_path: Path) -> None:
    log = Journal(tmp_path / "metrics.jsonl", pytest.fail)
    first, second = Spool(log, pytest.fail), Spool(Journal(log.path, pytest.fail), pytest.fail)
    assert (first.hold(), second.hold()) == (True, False)
    log.write(1, {"a": 1.0})
    assert second.waiting() == []
    first.close()
    assert second.hold()
    (group,) = second.waiting()
    assert [event.iteration for event, _ in group.lines if isinstance(event, Numbers)] == [1]


def test_memory_that_is_full_keeps_the_oldest_and_the_end_and_frees_what_was_sent(
    tmp_path: Path, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_file, "ROOM", 60)
    lines = LineFile(tmp_path / "gone" / "metrics.jsonl", warnings.append)
    for step in range(1, 10):
        lines.append(f"a line of number {step}")
    assert [int(line.split()[-1]) for line in lines.next()] == [1, 2, 3]
    lines.take(sum(map(len, lines.next())))
    lines.append("a line of number 10")
    lines.append("x" * 1000, needed=True)
    assert [line[:6] for line in lines.next()] == [b"a line", b"xxxxxx"]
    assert warnings[1:] == [f"memory is full: new lines of {lines.path} are left out until the disk has room"]
    (tmp_path / "gone").mkdir()
    lines.append("the last")
    assert [line[:6] for line in lines.next()] == [b"a line", b"xxxxxx", b"the la"]


# A disk that is full


@pytest.fixture
def little_room(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 64 KiB."""
    folder = tmp_path / "little"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a file system, and not everywhere")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_lines_that_a_full_disk_refuses_are_sent_from_memory_and_written_later(
    little_room: Path, store: str, client: Any, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "PERIOD", 0.2)
    (run,) = runs_in(little_room, 0)
    observer = Training(store, warnings.append)
    observer.allmodes_run_started(run)
    tell(observer, run, 1, 20)
    ballast = little_room / "ballast"
    fill(ballast)
    for iteration in range(21, 2001):
        observer.allmodes_metrics_logged(run, iteration, {"train/generator": iteration / 2, "time/seconds": 1.0})
    file = run.folder / "metrics.jsonl"
    wait_for(lambda: arrived(client, "time/seconds") == 2000)
    on_full_disk = file.read_bytes().count(b"\n")
    ballast.unlink()
    observer.allmodes_run_finished(run, FINISHED)
    observer.close()
    assert warnings == [f"MLflow: {file} cannot be written (No space left on device); the run goes on, the lines wait"]
    assert on_full_disk < 2003
    whole(client, "allmodes", 2000, pictures=1)


def arrived(client: Any, key: str) -> int:
    """Number of values that the only seed's run has."""
    experiment = client.get_experiment_by_name("allmodes")
    runs = client.search_runs([experiment.experiment_id], "tags.`allmodes.kind` = 'seed'") if experiment else []
    return sum(len(client.get_metric_history(run.info.run_id, key)) for run in runs)


def fill(file: Path) -> None:
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        while True:
            out.write(b"x" * 512)


# What sync says


def test_sync_refuses_an_untracked_run(tmp_path: Path) -> None:
    (run,) = runs_in(tmp_path, 0)
    with pytest.raises(TrackingError) as caught:
        sync([run.folder], None, print, print)
    message = f"{run.folder} holds no tracked run; what was run with --no-tracking has nothing to send"
    assert str(caught.value) == message


def test_sync_refuses_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(TrackingError) as caught:
        sync([tmp_path / "runs"], None, print, print)
    assert str(caught.value) == f"{tmp_path}/runs is not a folder: give the folder of a run, or one that holds runs"


def test_sync_refuses_a_log_without_a_description(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("damaged")
    (tmp_path / "metrics.jsonl").write_text('x\n{"iteration": 1, "a": 1.0, "time": 1}\n')
    said: list[str] = []
    assert sync([tmp_path], "sqlite:////nowhere.db", print, said.append) == 1
    log, pages = tmp_path / "metrics.jsonl", "run.json and spec.yaml cannot be read in its place"
    assert said == [f"{log} lacks the description of the run, and {pages}"]


@pytest.mark.parametrize("line", [{"iteration": 2**63, "a": 1.0, "time": 1}, {"iteration": 1, "a": 1.0, "time": 2**63}])
def test_a_number_too_large_for_a_database_is_damage(line: dict[str, Any]) -> None:
    assert isinstance(parse(json.dumps(line).encode()), Damaged)
