"""What outages of a store cost: `python tests/reliability/outage.py` prints a table; a loss is exit code 1.

Each case trains the spec of tests/tiny.py for some seconds, breaks the store meanwhile, repairs it, calls `sync`, and
compares the events in the log of the run with what MLflow holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from rich.console import Console
from rich.table import Table

from allmodes import Experiment, Run, hookimpl
from allmodes.tracking import description, reading, sync
from allmodes.tracking.events import Damaged, End, Event, Figure, Numbers
from allmodes.tracking.sender import open_store
from server import Server
from tiny import SPEC

ITERATIONS = 3000
Values = Counter[tuple[str, int]]
Plan = Sequence[tuple[float, Callable[[], None]]]  # seconds after the start, and what to do then


@dataclass(frozen=True)
class Case:
    """What an outage cost: seconds of training, and how the values in a run's log arrived."""

    name: str
    seconds: float
    events: int
    logged: int
    held: int
    twice: int
    missing: int
    messages: Sequence[str]


class Moving:
    """An observer that moves a run's log to another folder when training begins, and leaves a link to it."""

    def __init__(self, place: Path) -> None:
        self.place = place

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """Move the log."""
        log = run.folder / "metrics.jsonl"
        shutil.move(log, self.place / log.name)
        log.symlink_to(self.place / log.name)


def train(folder: Path, store: str, warn: Callable[[str], None], log_in: Path | None) -> Path:
    """The folder of a run of the tiny spec, some thousand events."""
    os.environ["MLFLOW_TRACKING_URI"] = store
    training = {**SPEC["training"], "iterations": ITERATIONS, "log_every": 2, "threads": 1}
    evaluation = {**SPEC["evaluation"], "every": ITERATIONS // 3, "figure": True}
    spec = {**SPEC, "training": training, "evaluation": evaluation}
    observers = {"moving": Moving(log_in)} if log_in else {}
    return Experiment.from_spec(spec, folder=folder, warn=warn, observers=observers).run().folder / "seed-3"


def logged_values(events: Sequence[Event]) -> Values:
    """The values in a run's log, by name and step."""
    found: Values = Counter()
    for event in events:
        if isinstance(event, Numbers):
            found.update((description.key(name), event.iteration) for name in event.values)
        elif isinstance(event, End):
            found.update((description.key(name), event.iteration) for name in event.results)
        elif isinstance(event, Figure):
            found["image", event.iteration] += 1
    return found


def held(client: Any, run: Path) -> Values:
    """What MLflow holds of a run, by name and step."""
    experiment = client.get_experiment_by_name("allmodes").experiment_id
    mine = f"tags.`allmodes.experiment` = '{run.parent.name}' and tags.`allmodes.kind` = 'seed'"
    found: Values = Counter()
    for logged in client.search_runs([experiment], mine):
        assert logged.info.status == "FINISHED", logged.info.status
        for key in (key for key in logged.data.metrics if not key.startswith("floor/")):
            points = client.get_metric_history(logged.info.run_id, key)
            found.update((key.replace("recent/", "recent_"), point.step) for point in points)
        images = (file.path for file in client.list_artifacts(logged.info.run_id, "images"))
        found.update(("image", int(path.split("+")[2])) for path in images if path.endswith(".png"))
    return found


def case(
    name: str,
    folder: Path,
    store: str,
    plan: Plan = (),
    repair: Callable[[], None] = lambda: None,
    log_in: Path | None = None,
) -> Case:
    """Train while the plan is carried out, repair, sync, and compare."""
    messages: list[str] = []
    timers = [threading.Timer(*step) for step in plan]
    for timer in timers:
        timer.start()
    run = train(folder / "runs", store, messages.append, log_in)
    for timer in timers:
        timer.join()
    repair()
    code = sync([run], None, lambda line: None, messages.append)
    assert code == 0, messages
    events = [event for event, _ in reading.read(run) if event is not None and not isinstance(event, Damaged)]
    expected, there = logged_values(events), held(open_store(store).client, run)
    seconds = (events[-1].time - events[0].time) / 1000
    lost, twice = (expected - there).total(), (there - expected).total()
    return Case(name, seconds, len(events), expected.total(), there.total(), twice, lost, messages)


def with_server(folder: Path, server: Server) -> Iterator[Case]:
    """The cases of a server that is killed, hangs, and is not there."""
    yield case("refuses from the start", folder, server.address, repair=server.start)
    yield case("undisturbed", folder, server.address)
    yield case("hangs in the middle", folder, server.address, [(1, server.stop), (8, server.go_on)])
    yield case("hangs to the end", folder, server.address, [(1, server.stop)], server.go_on)
    yield case("killed, comes back", folder, server.address, [(1, server.kill), (1.5, server.start)])
    yield case("killed, stays away", folder, server.address, [(1, server.kill)], server.start)


def with_file(folder: Path) -> Iterator[Case]:
    """The cases of a SQLite file, and of a disk without room for the log."""
    store = f"sqlite:///{folder / 'file' / 'mlflow.db'}"
    yield case("file, undisturbed", folder, store)
    yield case("file, locked by another", folder, store, [(1, lambda: lock(folder / "file" / "mlflow.db", 8))])
    if (place := small_disk(folder)) is None:
        return
    ballast = place / "ballast"  # training itself needs room as well: here the disk of the log alone is full
    plan = [(1.0, lambda: fill(ballast)), (5.0, ballast.unlink)]
    yield case("disk full for the log", folder, store, plan, log_in=place)
    subprocess.run(["umount", "-l", str(place)], check=True)


def lock(file: Path, seconds: float) -> None:
    """Hold a SQLite file as a process would that writes for long."""
    with contextlib.closing(sqlite3.connect(file, timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(seconds)


def small_disk(folder: Path) -> Path | None:
    """A file system of 2 MiB; None where we may not mount one."""
    (place := folder / "disk").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    return place if subprocess.run(mount, capture_output=True).returncode == 0 else None


def fill(file: Path) -> None:
    """Leave no room on a disk."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as out:
        while out.write(bytes(512)):
            pass


def measure() -> list[Case]:
    """All cases, in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="allmodes-") as name:
        folder = Path(name)
        server = Server(folder, f"sqlite:///{folder / 'server.db'}")
        try:
            return [*with_file(folder), *with_server(folder, server)]
        finally:
            server.kill()


def main() -> int:
    """Print the table; 1 where something is missing or is there twice."""
    cases, console = measure(), Console(width=120)
    table = Table("case", "training (s)", "events", "values logged", "in MLflow", "twice", "missing", "messages")
    for row in cases:
        counts = (row.events, row.logged, row.held, row.twice, row.missing, len(row.messages))
        table.add_row(row.name, f"{row.seconds:.1f}", *map(str, counts))
    console.print(table)
    for row in cases:
        console.print(json.dumps({row.name: row.messages}, indent=1), markup=False, highlight=False, soft_wrap=True)
    return 1 if any(row.twice or row.missing for row in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
