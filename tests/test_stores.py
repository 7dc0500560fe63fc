"""Stores as people have them: half made, deleted, in odd folders, or inside the folder that is trained in."""

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from allmodes.runs.lock import lock_folder, take_turns
from allmodes.tracking import database, sync
from allmodes.tracking.address import absolute, default_store, for_mlflow, sqlite_address, sqlite_file
from allmodes.tracking.sender import open_store, reason
from tracked import FINISHED, Training, logged, runs_in

ODD = ["a b", "pct%20x", "q?x", "h#x", "it's", 'say "x"', "é-字", "a@b:c", "p+q&r=s;t", "back\\slash", "new\nline"]


def spoil(file: Path) -> None:
    """Leave a database as a process does that is killed while MLflow makes its tables."""
    with closing(sqlite3.connect(file)) as base, base:
        base.execute("DELETE FROM alembic_version")
        base.execute("DROP TABLE webhook_events")


def tell(observer: Training, run: Any) -> None:
    observer.allmodes_run_started(run)
    observer.allmodes_metrics_logged(run, 10, {"eval/modes": 24.0})
    observer.allmodes_run_finished(run, FINISHED)
    observer.close(300)  # making a database may take that long on a machine that is at other work


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "QUIET", 0.0)


def test_a_half_made_database_is_set_aside_and_everything_arrives(
    store: str, tmp_path: Path, warnings: list[str], quiet: None
) -> None:
    spoil(file := tmp_path / "mlflow.db")
    tell(Training(store, warnings.append), runs_in(tmp_path / "x", 0)[0])
    assert len(warnings) == 1
    assert warnings[0].startswith(f"MLflow: {file} was left half made, without a run in it (")
    assert warnings[0].endswith("): it is mlflow.db.half-made-1 now, and a new one is made")
    assert (tmp_path / "mlflow.db.half-made-1").is_file()
    assert logged(open_store(store).client)[1][0].info.status == "FINISHED"


def test_a_database_that_holds_runs_is_never_set_aside(store: str, tmp_path: Path, quiet: None) -> None:
    file, said = tmp_path / "mlflow.db", list[str]()
    tell(Training(store, said.append), runs_in(tmp_path / "x", 0)[0])
    spoil(shutil.copy(file, other := tmp_path / "other.db"))
    with pytest.raises(database.StoreError) as caught:
        open_store(sqlite_address(other))
    assert str(caught.value).startswith(f"MLflow cannot open {other} (")
    assert str(caught.value).endswith("): move the file away, and a new one is made in its place")
    assert not list(tmp_path.glob("*half-made*"))
    assert said == []


@pytest.mark.parametrize("kind", ["file", "folder", "database disk image"])
def test_error_of_an_invalid_database_names_the_file(kind: str, store: str, tmp_path: Path) -> None:
    whole, file = (tmp_path / "mlflow.db").read_bytes(), tmp_path / "new.db"
    if kind == "folder":
        file.mkdir()
    else:
        file.write_bytes(b"no database, but long" * 20 if kind == "file" else whole[:4096] + bytes(len(whole) - 4096))
    with pytest.raises(database.StoreError) as caught:
        open_store(sqlite_address(file))
    what = f"{kind} is malformed" if "disk" in kind else f"{'a ' if kind == 'folder' else ''}{kind} is not a database"
    said = f"{what}: move {file} away, and a new one is made in its place"
    assert (str(caught.value), reason(caught.value, sqlite_address(file))) == (said, said)


def test_an_empty_file_and_what_a_killed_process_left_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    old, young = tmp_path / ".mlflow.db-1-ab", tmp_path / ".mlflow.db-2-cd"
    for beside in (old, young):
        beside.touch()
    os.utime(old, (0, 0))
    database.make_whole(tmp_path / "mlflow.db", lambda new: new.write_text("made"), pytest.fail)  # type: ignore[arg-type, return-value]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"mlflow.db": "made", young.name: ""}


def test_of_two_that_find_a_half_made_database_one_mends_it(tmp_path: Path) -> None:
    """While the second waits for its turn, the first puts a whole one in its place."""
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as base, base:
        base.execute("CREATE TABLE webhooks (id)")
    entered, said = threading.Event(), list[str]()

    def first() -> None:
        with take_turns(tmp_path, file.name):
            entered.set()
            time.sleep(0.5)
            file.rename(tmp_path / "aside")
            file.write_text("whole")

    other = threading.Thread(target=first)
    other.start()
    entered.wait()
    database.make_whole(file, pytest.fail, said.append)  # type: ignore[arg-type]
    other.join()
    assert (file.read_text(), said) == ("whole", [])


def test_a_database_that_another_process_created_meanwhile_stays(tmp_path: Path) -> None:
    def slow(new: Path) -> None:
        new.write_text("mine")
        (tmp_path / "mlflow.db").write_text("another's")

    database.make_whole(tmp_path / "mlflow.db", slow, pytest.fail)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("mlflow.db", "another's")]


def test_a_process_that_dies_while_it_creates_a_database_leaves_none(tmp_path: Path) -> None:
    def dying(file: Path) -> None:
        with closing(sqlite3.connect(file)) as base, base:
            base.execute("CREATE TABLE webhooks (id)")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.make_whole(tmp_path / "mlflow.db", dying, print)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_another_process_creates_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, tries = tmp_path / "mlflow.db", list[Path]()
    with closing(sqlite3.connect(file)) as base, base:
        base.execute("CREATE TABLE webhooks (id)")

    def fill(copy: Path) -> None:
        tries.append(copy)
        if len(tries) == 1:
            raise ValueError("table webhooks already exists")

    monkeypatch.setattr("allmodes.tracking.database.time.sleep", lambda seconds: None)
    database.make_whole(file, fill, pytest.fail)
    assert len(tries) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mlflow.db.lock", "mlflow.db"]


@pytest.mark.parametrize("name", ODD)
def test_an_address_leads_back_to_its_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder := tmp_path / name).mkdir()
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(folder)
    assert sqlite_file(default_store()) == folder / "mlflow.db"
    assert absolute(default_store()) == default_store()
    if "file:" not in default_store():  # SQLAlchemy 2.0
        assert make_url(for_mlflow(default_store())).database == str(folder / "mlflow.db")


def test_an_address_of_older_or_newer_sqlalchemy_leads_to_the_same_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for decodes, address in ((True, "sqlite:////q%3Fx/%25.db"), (False, "sqlite:///file:/q%3Fx/%25.db?uri=true")):
        monkeypatch.setattr("allmodes.tracking.address._sqlalchemy_decodes_paths", lambda decodes=decodes: decodes)
        assert sqlite_address(Path("/q?x/%.db")) == address
        assert sqlite_file(address) == Path("/q?x/%.db")
        assert absolute(address) == address


def test_a_store_in_an_odd_folder_gets_everything_and_makes_no_other_folder(store: str, tmp_path: Path) -> None:
    (folder := tmp_path / "a%20b?c #'\"é").mkdir()
    shutil.copy(tmp_path / "mlflow.db", folder)
    address = sqlite_address(folder / "mlflow.db")
    tell(Training(address, pytest.fail), runs_in(folder / "run", 0)[0])
    assert logged(open_store(address).client)[1][0].info.status == "FINISHED"
    assert sorted(path.name for path in folder.iterdir()) == [".mlflow.db.lock", "mlartifacts", "mlflow.db", "run"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, "mlflow.db"]


def test_a_home_folder_may_stand_in_an_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert absolute("sqlite:///~/m.db") == f"sqlite:///{tmp_path}/m.db"
    assert absolute("~/mlruns") == f"{tmp_path}/mlruns"
    assert [absolute(word) for word in ("databricks", "http://~h/x")] == ["databricks", "http://~h/x"]


def test_whoever_locks_a_folder_does_not_wait_for_itself(tmp_path: Path) -> None:
    entered = threading.Event()

    def enter() -> None:
        with take_turns(tmp_path):
            entered.set()

    with lock_folder(tmp_path):
        threading.Thread(target=enter, daemon=True).start()
        assert entered.wait(5)


def test_a_store_in_the_folder_that_is_trained_in_gets_everything_at_once(store: str, tmp_path: Path) -> None:
    with lock_folder(tmp_path):
        tell(Training(store, pytest.fail), runs_in(tmp_path, 0)[0])
    assert logged(open_store(store).client)[1][0].info.status == "FINISHED"


def test_a_deleted_experiment_is_restored_with_a_warning(
    store: str, client: Any, tmp_path: Path, warnings: list[str]
) -> None:
    tell(Training(store, warnings.append), runs_in(tmp_path / "a", 0)[0])
    client.delete_experiment(client.get_experiment_by_name("allmodes").experiment_id)
    (run,) = runs_in(tmp_path / "b", 1)
    tell(Training(store, warnings.append), replace(run, experiment="another"))
    assert warnings == [
        f"MLflow: the experiment allmodes had been deleted in {store} and is restored, since runs are logged to it; "
        "MLFLOW_EXPERIMENT_NAME names another"
    ]
    assert client.get_experiment_by_name("allmodes").lifecycle_stage == "active"


@pytest.mark.parametrize("which", [lambda parent, child: parent, lambda parent, child: child])
def test_a_run_that_was_deleted_is_logged_anew(
    which: Callable[[Any, Any], Any], store: str, client: Any, tmp_path: Path, observer: Training
) -> None:
    tell(Training(store, pytest.fail), (run := runs_in(tmp_path / "a", 0)[0]))
    parent, (child,) = logged(client)
    client.delete_run(which(parent, child).info.run_id)
    tell(observer, run)
    assert logged(client)[1][0].data.metrics["modes"] == 24.0


@pytest.mark.parametrize(
    "name", ["it's", 'say "x"', "both ' and \"", "back\\slash", "100%_", "new\nline", "é字", "`x`"]
)
def test_a_study_of_any_name_is_one_run_in_mlflow(name: str, store: str, client: Any, tmp_path: Path) -> None:
    for seed in (0, 1):
        (run,) = runs_in(tmp_path / str(seed) / "bells", seed)
        tell(Training(store, pytest.fail), replace(run, experiment=name, study=name, seeds=2, repeats=2))
    (id,) = [one.experiment_id for one in client.search_experiments() if one.name == "allmodes"]
    kinds = sorted(one.data.tags["allmodes.kind"] for one in client.search_runs([id]))
    assert kinds == ["method", "seed", "seed", "study"]


def test_sync_takes_the_folder_that_it_is_in(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Any
) -> None:
    tell(Training(store, pytest.fail, sends=False), runs_in(tmp_path / "x", 0)[0])
    monkeypatch.chdir(tmp_path / "x" / "seed-0")
    said: list[str] = []
    assert sync([Path()], None, said.append, pytest.fail) == 0
    assert said == [f".: 3 events were sent to {store}"]
