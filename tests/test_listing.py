"""What a run says before it trains, `allmodes runs`, and the word `latest`."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from allmodes.cli import console
from allmodes.cli import main as cli_main
from allmodes.experiments import logs
from allmodes.registry.registry import installed
from allmodes.runs.claims import Holder
from allmodes.runs.listing import Listed, find_latest, list_runs
from allmodes.runs.lock import LOCKS, is_locked
from allmodes.specs import loading
from tiny import SPEC

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ALLMODES_REFERENCES", "off")
    monkeypatch.setattr(console.out, "width", 200)


def seed(folder: str, number: int = 0, when: float = 1000, **outcome: Any) -> Path:
    """A run of one seed as its pages tell it: of 20 iterations; without an outcome, one that has not ended."""
    path = Path(folder) / f"seed-{number}"
    path.mkdir(parents=True)
    facts = {"seed": number, "experiment": "x", "data": {"fingerprint": "0"}, "spec": {"training": {"iterations": 20}}}
    (path / "run.json").write_text(json.dumps(facts))
    (path.parent / "spec.yaml").write_text("name: x\n")
    if outcome:
        (path / "results.json").write_text(json.dumps({"seconds": 1.0, **outcome}))
    for file in (*path.iterdir(), path.parent / "spec.yaml"):
        os.utime(file, (when, when))
    return path


def ended(status: str = "finished", iteration: int = 20, **results: float) -> dict[str, Any]:
    return {"status": status, "iteration": iteration, "results": results}


def told(one: Listed) -> tuple[Any, ...]:
    return str(one.folder), one.status, one.iteration, one.iterations, one.metric, one.value, one.seeds


def listed(folder: str = "runs") -> tuple[list[tuple[Any, ...]], list[str]]:
    warnings: list[str] = []
    return [told(one) for one in list_runs(Path(folder), warnings.append)], warnings


def test_runs_are_listed_newest_first_with_the_mean_of_the_first_metric() -> None:
    seed("runs/old", 0, 1000, **ended(modes=8, w1=0.1))
    seed("runs/old", 1, 1000, **ended(modes=5, w1=0.3))
    seed("runs/new", 0, 2000, **ended("failed", 7))
    assert listed() == (
        [("runs/new", "failed", 7, 20, "", None, 1), ("runs/old", "finished", 20, 20, "modes", 6.5, 2)],
        [],
    )


def test_a_run_that_has_not_ended_counts_to_its_last_checkpoint() -> None:
    (seed("runs/a") / "checkpoints" / "00000010").mkdir(parents=True)
    seed("runs/a", 1, **ended("killed", 15, modes=3))
    (rows, _) = listed()
    status = "2 interrupted" if LOCKS.exists() else "1 unfinished, 1 interrupted"
    assert rows == [("runs/a", status.removeprefix("2 "), 10, 20, "modes", 3, 2)]


def test_a_comparison_counts_its_runs_and_lists_its_methods() -> None:
    for method in ("gan", "other"):
        seed(f"runs/comparison/{method}", 0, 1000 + len(method), **ended(modes=len(method)))
    seed("runs/comparison/other", 1, 1000, **ended("failed", 3))
    Path("runs/comparison/study.json").write_text('{"name": "c", "id": "c-1"}')
    assert [row[1:] for row in listed()[0]] == [("2 finished, 1 failed", 3, 20, "", None, 3)]
    assert listed("runs/comparison")[0] == [
        ("runs/comparison/other", "1 finished, 1 failed", 3, 20, "modes", 5, 2),
        ("runs/comparison/gan", "finished", 20, 20, "modes", 3, 1),
    ]
    assert [row[0] for row in listed("runs/comparison/other")[0]] == [
        "runs/comparison/other/seed-0",
        "runs/comparison/other/seed-1",
    ]


def test_a_study_that_has_not_begun_is_as_old_as_its_own_files() -> None:
    seed("runs/run", 0, 2000, **ended())
    page = Path("runs/study/study.json")
    page.parent.mkdir()
    page.write_text('{"name": "c", "id": "c-1"}')
    os.utime(page, (3000, 3000))
    found = list_runs(Path("runs"), pytest.fail)
    assert [(one.folder.name, one.status, one.changed) for one in found] == [
        ("study", "not begun", 3000),
        ("run", "finished", 2000),
    ]


def test_damaged_pages_are_told_and_the_other_runs_are_listed() -> None:
    (seed("runs/bad", 0, 3000, **ended()) / "results.json").write_text("{")
    (seed("runs/worse", 0, 2000, **ended(modes=1)) / "run.json").write_text("[]")
    seed("runs/good", 0, 1000, **ended(modes=8))
    Path("runs/empty").mkdir()
    Path("runs/model").mkdir()
    for name in ("spec.yaml", "model.json"):
        Path("runs/model", name).touch()
    rows, warnings = listed()
    assert {row[0]: row[2:6] for row in rows} == {
        "runs/bad": (0, 20, "", None),
        "runs/worse": (20, None, "modes", 1),
        "runs/good": (20, 20, "modes", 8),
    }
    assert [warning.partition(" (")[0] for warning in warnings] == [
        "runs/bad/seed-0/results.json is damaged",
        "runs/worse/seed-0/run.json is damaged",
    ]


def test_runs_within_folders_are_found_and_hidden_ones_are_not() -> None:
    seed("runs/monday/a", **ended())
    seed("runs/.trash/b", **ended())
    assert [row[0] for row in listed()[0]] == ["runs/monday/a"]


@pytest.mark.skipif(not LOCKS.exists(), reason="only Linux tells who has locked a file")
def test_a_lock_is_seen_without_being_touched() -> None:
    folder = seed("runs/a")
    assert is_locked(folder) is False
    with FileLock(folder / ".lock", timeout=0):
        assert is_locked(folder) is True
        assert listed()[0][0][1] == "training"
    assert listed()[0][0][1] == "interrupted"


def test_a_run_that_another_host_trains_is_shown_with_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("runs/study").mkdir(parents=True)
    Path("runs/study/study.json").write_text('{"name": "c", "id": "c-1"}')
    seed("runs/study/gan", 0, **ended())
    seed("runs/study/gan", 1, **ended("killed", 5))
    seed("runs/study/gan", 2)
    claim = Path("runs/study/.claims/gan.seed-1.0").absolute()
    claim.parent.mkdir()
    claim.write_text(Holder(host="node7", machine="far", pid=7).model_dump_json())
    open_one = "interrupted" if LOCKS.exists() else "unfinished"
    assert listed()[0][0][1] == f"1 finished, 1 training on node7, 1 {open_one}"
    monkeypatch.chdir("runs/study/gan")
    assert [row[1] for row in listed(".")[0]] == ["finished", "training on node7", open_one]
    os.utime(claim, (1000, 1000))  # it has shown no life for longer than a lease
    assert [row[1] for row in listed(".")[0]][1] == "interrupted"
    claim.touch()
    claim.write_text(Holder(host="node7", machine="far", pid=7, state="released").model_dump_json())
    assert [row[1] for row in listed(".")[0]][1] == "interrupted"


def test_the_latest_is_the_run_that_was_written_to_last() -> None:
    seed("runs/old", 0, 1000, **ended())
    seed("runs/new", 0, 2000, **ended())
    assert find_latest(Path("runs")) == Path("runs/new")
    log = Path("runs/old/seed-0/metrics.jsonl")
    log.touch()
    os.utime(log, (3000, 3000))
    assert find_latest(Path("runs")) == Path("runs/old")
    assert find_latest(Path("nowhere")) is None


def test_the_latest_study_is_none_of_the_runs_and_its_runs_are_runs() -> None:
    seed("runs/alone", 0, 1000, **ended())
    assert find_latest(Path("runs"), "study") is None
    page = Path("runs/study/study.json")
    seed("runs/study/gan", 0, 2000, **ended())
    page.write_text('{"name": "c", "id": "c-1"}')
    os.utime(page, (500, 500))
    assert find_latest(Path("runs")) == Path("runs/study/gan")
    assert find_latest(Path("runs"), "study") == find_latest(Path("runs"), "any") == Path("runs/study")
    seed("runs/later", 0, 3000, **ended())
    assert find_latest(Path("runs"), "any") == Path("runs/later")
    assert find_latest(Path("runs"), "study") == Path("runs/study")
    os.utime(page, (4000, 4000))  # as a report does
    assert find_latest(Path("runs"), "any") == Path("runs/study")


def test_commands_take_the_latest_study_where_a_study_is_expected_and_say_which(capsys: Capture) -> None:
    study = Path("runs/study/study.json")
    seed("runs/study/gan", 0, 1000, **ended())
    study.write_text('{"name": "c", "id": "c-1"}')
    os.utime(study, (1000, 1000))
    seed("runs/run", 0, 2000, **ended())
    for command, taken in (
        ("work latest", "the study runs/study"),
        ("compare gan/ring --folder latest --seeds x", "the study runs/study"),
        ("validate latest", "runs/run"),
        ("runs latest", "runs/run"),
    ):
        cli_main.execute(command.split())
        assert capsys.readouterr().err.splitlines()[0] == f"latest is {taken}"
    os.utime(study, (3000, 3000))
    for command in ("runs latest", "report latest"):
        cli_main.execute(command.split())
        assert capsys.readouterr().err.splitlines()[0] == "latest is the study runs/study"


def test_commands_take_the_latest_run_and_say_which(capsys: Capture) -> None:
    Path("tiny.json").write_text(json.dumps(SPEC))
    assert cli_main.execute(["run", "tiny.json", "--no-tracking", "-q"]) == 0
    (folder,) = Path("runs").iterdir()
    capsys.readouterr()
    assert cli_main.execute(["sample", "latest", "-n", "3"]) == 0
    assert capsys.readouterr() == (f"3 samples of {folder}/seed-3 are in samples.npz\n", f"latest is {folder}\n")
    assert cli_main.execute(["resume", "latest", "--quiet"]) == 2
    assert capsys.readouterr().err == (
        f"latest is {folder}\nerror: {folder} is finished at iteration 20: to train on, set more, such as "
        "--set training.iterations=40\n"
    )
    assert cli_main.execute(["runs"]) == 0
    cells = [cell.strip() for cell in capsys.readouterr().out.splitlines()[4].split("│")[1:-1]]
    assert cells[:4] == [str(folder), "finished", "20", "1"]
    assert cells[4].startswith("modes ")


def test_a_folder_called_latest_comes_first(capsys: Capture) -> None:
    seed("runs/other", **ended())
    Path("latest").mkdir()
    assert cli_main.execute(["resume", "latest"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: latest: no run to resume there: give the folder that `allmodes run` printed"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("sample latest", "error: latest: there is no run in the folder runs here: name the run's folder"),
        ("work latest", "error: latest: there is no study in the folder runs here: name the study's folder"),
        (
            "report latest",
            "error: latest: there is no run or study in the folder runs here: name the run's or study's folder",
        ),
        ("runs", "error: there is no folder runs here: allmodes run makes it, or name the folder of your runs"),
        ("runs mine", "error: mine: no such file or folder in {here}"),
    ],
)
def test_without_runs_the_way_out_is_named(arguments: str, message: str, capsys: Capture) -> None:
    assert cli_main.execute(arguments.split()) == 2
    assert capsys.readouterr().err == message.format(here=Path.cwd()) + "\n"


def test_a_run_says_at_once_where_it_will_be_and_then_what_it_waits_for() -> None:
    Path("tiny.json").write_text(json.dumps(SPEC))
    command = [sys.executable, "-m", "allmodes", "run", "tiny.json", "--seeds", "0,1", "--set", "training.iterations=2"]
    environment = os.environ | {"MLFLOW_TRACKING_URI": "sqlite:///mine.db", "ALLMODES_FLOORS": "off"}
    done = subprocess.run([*command, "--no-tracking"], capture_output=True, text=True, check=True, env=environment)
    (folder,) = Path("runs").iterdir()
    lines = [line.partition(" INFO ")[2] for line in done.stderr.splitlines() if " INFO " in line]
    assert lines[:3] == [
        f"tiny: 2 iterations of seeds 0, 1; folder runs/{folder.name}; device cpu; engine eager; not logged to MLflow",
        "waiting for torch",
        "waiting for the data: ring",
    ]
    assert "waiting for floors: real data are measured, with 64 samples" in lines


def test_the_first_line_names_the_store_without_its_password(caplog: pytest.LogCaptureFixture) -> None:
    spec = loading.parse(SPEC, installed())
    with caplog.at_level(logging.INFO):
        for store in (f"sqlite:///{Path.cwd()}/mine.db", "https://me:secret@example.org/mlflow"):
            logs.log_start(spec, (3,), Path.cwd() / "runs" / "tiny-1", store)
    begin = "tiny: 20 iterations of seed 3; folder runs/tiny-1; device cpu; engine eager; MLflow "
    assert [record.getMessage() for record in caplog.records] == [
        f"{begin}mine.db",
        f"{begin}https://me:***@example.org/mlflow",
    ]
