"""Runs of versions that kept what MLflow should get in `tracking.jsonl` are sent, also when they have gone on since."""

import json
from pathlib import Path
from typing import Any

import pytest

from allmodes.runs import journal
from allmodes.runs.journal import Journal
from allmodes.runs.run import Run
from allmodes.tracking import sync
from allmodes.tracking.events import describe
from tracked import FINISHED, Recorder, runs_in

STORE = "sqlite:////store"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of an older version that was killed at iteration 4; of its last picture half a line is left."""
    (run,) = runs_in(tmp_path, 0)
    start: dict[str, Any] = {"what": "start", **describe(run, STORE), "time": 1}
    values = [{"a": float(step), "b": float("nan")} for step in range(1, 5)]
    lines = [start, *({"what": "metrics", "time": i, "step": i, "values": v} for i, v in enumerate(values, 1))]
    (run.folder / "tracking.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"what": "fig')
    numbers = [{"iteration": step, "a": float(step), "b": None} for step in range(1, 5)]
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in numbers))
    return run


def send(run: Run) -> tuple[list[str], list[str]]:
    said, warned = list[str](), list[str]()
    assert sync([run.folder], STORE, said.append, said.append, warned.append) == 0
    return said, warned


def resume(run: Run) -> None:
    """Go on from a checkpoint at iteration 2, to 5."""
    log = Journal(run.folder / "metrics.jsonl", pytest.fail)
    log.start(2)
    log.add("mlflow", **describe(run, STORE))
    for step in range(3, 6):
        log.write(step, {"a": float(step), "b": 0.0})
    log.end(vars(FINISHED))


def test_a_killed_run_of_an_older_version_is_sent_and_ended_once(run: Run, recorder: Recorder) -> None:
    said, warned = send(run)
    assert said == [f"{run.folder}: 6 events were sent to {STORE}"]
    assert warned == [f"{run.folder / 'tracking.jsonl'}:6: the line is damaged and left out"]
    assert recorder.told == [("start", 0), *(("step", step) for step in range(1, 5)), ("end", "killed")]
    assert send(run)[0] == [f"{run.folder}: nothing is left to send"]


def test_a_receipt_of_an_older_version_stays_good(run: Run, recorder: Recorder) -> None:
    lines = (run.folder / "tracking.jsonl").read_bytes().splitlines(keepends=True)
    page = {"run_id": "run", "parent_run_id": "parent", "tracking_uri": STORE, "experiment_id": "0"}
    (run.folder / "mlflow.json").write_text(json.dumps(page | {"sent": sum(map(len, lines[:3]))}))
    send(run)
    assert recorder.told == [("step", 3), ("step", 4), ("end", "killed")]


def test_a_resumed_run_of_an_older_version_is_sent_with_each_number_once(run: Run, recorder: Recorder) -> None:
    resume(run)
    send(run)
    steps = [("step", step) for step in range(1, 6)]
    assert recorder.told == [("start", 0), *steps[:4], ("start", 0), steps[4], ("end", "finished")]
    sizes = [(run.folder / name).stat().st_size for name in ("tracking.jsonl", "metrics.jsonl")]
    assert json.loads((run.folder / "mlflow.json").read_text())["sent"] == sum(sizes)
    assert send(run)[0] == [f"{run.folder}: nothing is left to send"]
    read = journal.read(run.folder / "metrics.jsonl", pytest.fail)
    assert [(line["iteration"], line["b"]) for line in read] == [(1, None), (2, None), (3, 0.0), (4, 0.0), (5, 0.0)]
