"""Runs reach an MLflow server on PostgreSQL, whole and once, also when the server is killed in the middle."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from allmodes.tracking import sync
from allmodes.tracking.sender import open_store
from server import Server
from tracked import FINISHED, Training, free_port, logged, runs_in

pytestmark = pytest.mark.slow
BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nowhere"))


def user() -> str | None:
    """Whom PostgreSQL runs as: it refuses root."""
    return None if os.geteuid() else next(u.pw_name for u in pwd.getpwall() if u.pw_name in ("postgres", "nobody"))


@pytest.fixture
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of its own on this machine."""
    if not (BINARIES / "initdb").exists():
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip('psycopg is not installed: pip install "allmodes[postgres]"')
    place, port, who = Path("/tmp") / f"allmodes-pg-{os.getpid()}", free_port(), user()
    place.mkdir(mode=0o700)
    if who:
        shutil.chown(place, who)

    def call(name: str, *arguments: str) -> None:
        subprocess.run([BINARIES / name, *arguments], user=who, cwd=place, check=True, stdout=subprocess.DEVNULL)

    call("initdb", "-D", f"{place}/data", "-U", "allmodes", "--auth", "trust")
    options = f"-p {port} -k {place} -c listen_addresses=127.0.0.1 -c fsync=off"
    call("pg_ctl", "-D", f"{place}/data", "-w", "-l", f"{place}/log", "-o", options, "start")
    try:
        call("createdb", "-h", str(place), "-p", str(port), "-U", "allmodes", "mlflow")
        yield f"postgresql+psycopg://allmodes@127.0.0.1:{port}/mlflow"
    finally:
        call("pg_ctl", "-D", f"{place}/data", "-m", "immediate", "stop")
        shutil.rmtree(place)


def test_a_server_on_postgresql_that_is_killed_gets_everything_once(
    database: str, tmp_path: Path, warnings: list[str]
) -> None:
    server = Server(tmp_path, database)
    server.start()
    try:
        (run,) = runs_in(tmp_path, 0)
        observer = Training(server.address, warnings.append)
        observer.allmodes_run_started(run)
        for iteration in range(1, 2001):
            observer.allmodes_metrics_logged(run, iteration, {"train/generator": iteration / 2, "eval/modes": 1.0})
            if iteration == 1000:
                wait_until_some_arrived(run.folder / "mlflow.json")
                server.kill()
        observer.allmodes_run_finished(run, FINISHED)
        observer.close(timeout=2)
        server.start()
        (run.folder / "mlflow.json").unlink(missing_ok=True)  # nothing was noted: all is sent again
        assert sync([run.folder], None, print, print) == 0
        client = open_store(server.address).client
        parent, (child,) = logged(client)
        for key in ("train/generator", "eval/modes"):
            points = client.get_metric_history(child.info.run_id, key)
            assert sorted(point.step for point in points) == list(range(1, 2001))
        assert (parent.info.status, child.info.status) == ("FINISHED", "FINISHED")
    finally:
        server.kill()


def wait_until_some_arrived(receipt: Path) -> None:
    deadline = time.monotonic() + 120
    while not receipt.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
