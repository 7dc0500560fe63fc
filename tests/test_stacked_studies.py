"""Studies whose workers train several runs together: what these leave behind, how they end, and how they go on."""

import json
import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from allmodes.cli import main as cli_main
from allmodes.cli import progress
from allmodes.data import Data
from allmodes.experiments.resources import Resources
from allmodes.registry.registry import installed
from allmodes.runs.lock import lock_folder
from allmodes.runs.run import Outcome
from allmodes.runs.run_folder import RunFolder
from allmodes.studies import compare, reports, tables, tasks, trainer, worker
from allmodes.studies.comparison import Comparison
from allmodes.studies.executors import Local
from allmodes.studies.load import load_study
from allmodes.studies.pool import Pool, Waiting
from allmodes.studies.study import OWN_FILES, StudyRun, write_study
from allmodes.system.durable import write_json
from allmodes.system.signals import Stop
from allmodes.testing import interrupted
from faulty import PullConfig, registry_of
from one_process import in_one_process
from tiny import SPEC

TRAINING = {**SPEC["training"], "engine": "stacked"}
METHODS: dict[str, dict[str, Any]] = {
    "plain": {},
    "quick": {"training": {**TRAINING, "optimizer": {"kind": "adam", "lr": 5e-3}}, "evaluation": {"every": 20}},
    "broken": {"training": {**TRAINING, "optimizer": {"kind": "adam", "lr": 1e20}}},
}
TIMED = ("time/", "system/", "seconds")
RUNS = [f"{name}/seed-{seed}" for name in sorted(METHODS) for seed in (0, 1)]


def spec_file(name: str, **changes: Any) -> str:
    evaluation = {**SPEC["evaluation"], **changes.pop("evaluation", {})}
    Path(f"{name}.json").write_text(json.dumps({**SPEC, "name": name, "evaluation": evaluation, **changes}))
    return f"{name}.json"


def note_tasks(patch: pytest.MonkeyPatch) -> list[list[str]]:
    """A list that will hold the names of the runs of each task."""
    tasks: list[list[str]] = []
    run = Pool.run

    def noting(self: Pool, found: Waiting) -> Iterator[Any]:
        given = list(iter(found.take, None))
        tasks.extend([one["name"] for one in task["runs"]] for task in given)
        return run(self, Waiting(given))

    patch.setattr(Pool, "run", noting)
    return tasks


@dataclass
class Trained:
    """A study in the folder `out` of a place, its exit code, and the names of the runs of each of its tasks."""

    place: Path
    code: int
    tasks: list[list[str]]

    @property
    def folder(self) -> Path:
        return self.place / "out"


def train(place: Path, database: Path, engine: str, jobs: int) -> Trained:
    shutil.copy(database, place / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}")
        patch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
        tasks = note_tasks(patch)
        specs = [spec_file(name, **changes) for name, changes in METHODS.items()]
        options = ["--seeds", "0-1", "--jobs", str(jobs), "--folder", "out", "--no-figures"]
        code = cli_main.execute(["compare", *specs, *options, "--set", f"training.engine={engine}"])
    return Trained(place, code, tasks)


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory, opened_together: tuple[Path, str]) -> Trained:
    """The study with a run a task, on the eager engine."""
    with in_one_process():
        return train(tmp_path_factory.mktemp("apart"), opened_together[0], engine="eager", jobs=2)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, opened_together: tuple[Path, str]) -> Trained:
    """The study with all runs in one task, on the stacked engine."""
    return train(tmp_path_factory.mktemp("together"), opened_together[0], engine="stacked", jobs=1)


def logged(place: Path) -> dict[str, Any]:
    """What MLflow holds of each run, by its name, without times, ids and places."""
    from allmodes.tracking.sender import open_store

    client = open_store(f"sqlite:///{place / 'mlflow.db'}").client
    runs = client.search_runs([client.get_experiment_by_name("allmodes").experiment_id])
    names = {run.info.run_id: run.info.run_name for run in runs}
    return {run.info.run_name: _content(client, run, names) for run in runs}


def _content(client: Any, run: Any, names: dict[str, str]) -> dict[str, Any]:
    tags = {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")}
    return {
        "status": run.info.status,
        "parent": names.get(run.data.tags.get("mlflow.parentRunId", "")),
        "params": {name: value for name, value in run.data.params.items() if name != "training.engine"},
        "tags": sorted(tags),
        "metrics": {name: _values(client, run, name) for name in run.data.metrics if not name.startswith(TIMED)},
        "files": sorted(_files(client, run.info.run_id)),
    }


def _values(client: Any, run: Any, name: str) -> list[tuple[int, Any]]:
    history = client.get_metric_history(run.info.run_id, name)
    return [(one.step, pytest.approx(one.value, rel=1e-3, nan_ok=True)) for one in history]


def _files(client: Any, run: str, folder: str | None = None) -> Iterator[str]:
    for file in client.list_artifacts(run, folder):
        yield from _files(client, run, file.path) if file.is_dir else [file.path]


def outcome(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name / "results.json").read_text())
    return found


def test_runs_of_several_experiments_are_one_task(apart: Trained, together: Trained) -> None:
    assert sorted(together.tasks[0]) == RUNS
    assert len(together.tasks) == 1
    assert sorted(apart.tasks) == [[name] for name in RUNS]


def test_a_stacked_study_gives_the_table_of_an_eager_one(apart: Trained, together: Trained) -> None:
    assert (apart.code, together.code) == (1, 1)
    for name in RUNS:
        one, other = outcome(apart.folder, name), outcome(together.folder, name)
        assert (one["status"], one["iteration"], one["costs"]) == (other["status"], other["iteration"], other["costs"])
        assert one["floors"] == other["floors"]
        assert one["error"] == other["error"]
    heads = [(trained.folder / "table.md").read_text().split("| real data")[0] for trained in (apart, together)]
    assert heads[0] == heads[1]


def test_a_run_that_diverges_leaves_the_others_as_they_are(apart: Trained, together: Trained) -> None:
    assert outcome(together.folder, "broken/seed-0")["error"].startswith("DivergenceError: ")
    for name in ("plain/seed-0", "quick/seed-1"):
        one, other = (Outcome(**outcome(trained.folder, name)).results for trained in (apart, together))
        assert len(one) > 1
        assert one == pytest.approx(dict(other), rel=1e-3, nan_ok=True)


def test_mlflow_holds_the_same_of_a_stacked_study(apart: Trained, together: Trained) -> None:
    one, other = logged(apart.place), logged(together.place)
    methods = {name.partition("/")[0] for name in RUNS}
    assert sorted(other) == sorted([*RUNS, *methods, "out"])
    for name in RUNS:  # those above them count runs as they end, which is in another order
        assert other[name] == one[name]


def test_each_run_has_a_log_or_names_the_one_that_holds_its_output(together: Trained) -> None:
    first, *others = together.tasks[0]
    assert not RunFolder(together.folder / first).log.read_text().startswith("trained with")
    for name in others:
        line = RunFolder(together.folder / name).log.read_text().splitlines()[0]
        way = line.removeprefix(f"trained with {first}: ").removesuffix(" holds the process's output")
        assert (together.folder / name / way).samefile(RunFolder(together.folder / first).log)


def test_it_is_written_which_engine_trained_each_run_and_why(apart: Trained, together: Trained) -> None:
    assert {outcome(apart.folder, name)["engine"] for name in RUNS} == {"eager"}
    assert {outcome(together.folder, name)["engine"] for name in RUNS} == {"stacked"}
    log = RunFolder(together.folder / together.tasks[0][0]).log.read_text()
    line = next(line for line in log.splitlines() if ": engine " in line)
    names, _, why = line.partition(" INFO ")[2].partition(": ")
    assert (set(names.split(", ")), why) == (set(together.tasks[0]), "engine stacked: the spec asks for it")
    assert "Engines: " not in (together.folder / "table.md").read_text()


def test_a_note_below_the_table_says_where_engines_differ(tmp_path: Path) -> None:
    study = write_study(load_study(["gan/ring", "gan/grid"], installed(), tmp_path, seeds=[0, 1]))
    for run, engine in zip(study.runs, ("eager", "stacked", "compiled", "stacked"), strict=True):
        run.folder.mkdir()
        write_json(RunFolder(run.folder).results, vars(Outcome("finished", run.iterations, 1.0, engine=engine)))
    (ring, *_), (grid, *_) = (entry.runs for entry in study.entries)
    assert tables.markdown(Comparison(study)).endswith(
        f"\nEngines: compiled: {ring.entry.name}; eager: {ring.entry.name}; stacked: {grid.entry.name}. "
        "Seconds are compared within an engine alone.\n"
    )


def test_a_process_that_dies_ends_its_runs_and_the_same_command_goes_on_with_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    tasks = note_tasks(monkeypatch)
    training = {**TRAINING, "iterations": 600, "log_every": 50, "checkpoints": {"every": 100}}
    specs = [
        spec_file("one", training=training, evaluation={"every": 600}),
        spec_file("two", training={**training, "optimizer": {"kind": "adam", "lr": 1e-4}}, evaluation={"every": 600}),
    ]
    command = ["compare", *specs, "--no-tracking", "--no-figures", "--seeds", "0-1"]
    with in_one_process():
        assert cli_main.execute([*command, "--jobs", "1", "--folder", "unbroken"]) == 0
    advance, done = progress.StudyProgress.advance, list[int]()

    def acting(action: Any) -> None:
        done.clear()

        def once(self: progress.StudyProgress, run: StudyRun, iteration: int) -> None:
            advance(self, run, iteration)
            if iteration == 250 and not done:
                done.append(iteration)
                action()

        monkeypatch.setattr(progress.StudyProgress, "advance", once)

    capsys.readouterr()
    acting(lambda: [child.kill() for child in psutil.Process().children()])
    assert cli_main.execute([*command, "--jobs", "1"]) == 1
    errors = capsys.readouterr().err
    names = [f"{name}/seed-{seed}" for name in ("one", "two") for seed in (0, 1)]
    assert [name for name in names if f"error: {name}: " not in errors] == []
    assert errors.count("its process was killed by signal 9 (out of memory? try fewer --jobs)") == 4
    acting(lambda: signal.raise_signal(signal.SIGINT))
    assert cli_main.execute([*command, "--jobs", "1"]) == 130
    assert cli_main.execute([*command, "--jobs", "1"]) == 0
    assert [sorted(task) for task in tasks] == [names] * len(tasks)
    for name in names:
        assert interrupted.equal_runs(Path("runs/comparison") / name, Path("unbroken") / name)


def test_the_compiled_code_of_a_study_lies_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    given: list[Any] = []

    def noting(self: Pool, tasks: Waiting) -> Iterator[Any]:
        given.append({**self.environment})
        return iter(())

    monkeypatch.setattr(Pool, "run", noting)
    compare.compare([spec_file("one")], folder="out", track=False)
    assert given == [{"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "out" / ".compiled")}]
    assert ".compiled" in OWN_FILES


class Costly(PullConfig):
    """Cannot be built with a weight above 1."""

    def build(self) -> Any:
        if self.weight != 1:
            raise RuntimeError("no such table")
        return super().build()


def test_runs_that_cannot_begin_leave_the_others_of_their_task_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(worker, "installed", lambda: registry_of(Costly))
    monkeypatch.setattr(reports, "_redirect_output", lambda log: log.touch())
    game, pull = SPEC["losses"][0], {"kind": "acme.pull"}
    files = [spec_file("one", losses=[game, pull]), spec_file("two", losses=[game, {**pull, "weight": 2}])]
    files.append(spec_file("none", data={"kind": "arrays", "path": "none.npy"}, evaluation={"metrics": []}))
    study = write_study(load_study(files, registry_of(Costly), tmp_path / "out", seeds=[0, 1]))
    (tmp_path / "out/one/seed-0").write_text("in the way")
    sent: list[dict[str, Any]] = []
    made = trainer.StudyTrainer(study, Local(1), False, print)
    worker.train_task(made._task(tuple(study.runs)), lambda **message: sent.append(message), Stop())
    ends = {one["run"]: (one["status"], one["error"]) for one in sent if one["event"] == "done"}
    assert len(ends) == len([one for one in sent if one["event"] == "done"])
    failed = ("failed", "build of loss acme.pull (allmodes-acme 1.0): RuntimeError: no such table")
    problem = "DataError: data: none.npy cannot be read: No such file or directory"
    missing = ("failed", f"{problem} (relative paths are looked for in {tmp_path})")
    assert ends == {
        "one/seed-0": ("failed", f"{tmp_path / 'out/one/seed-0'}: File exists"),
        "one/seed-1": ("finished", None),
        "two/seed-0": failed,
        "two/seed-1": failed,
        "none/seed-0": missing,
        "none/seed-1": missing,
    }
    warning = f"two/seed-1: {failed[1]} (its traceback: out/two/seed-1/traceback.txt)"
    assert {"event": "warning", "run": "two/seed-1", "text": warning} in sent
    assert f"warning: {warning}\n" in RunFolder(tmp_path / "out/two/seed-1").log.read_text()
    assert warning not in RunFolder(tmp_path / "out/two/seed-0").log.read_text()


def test_a_run_that_another_process_trains_leaves_the_others_of_its_task_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reports, "_redirect_output", lambda log: log.touch())
    study = write_study(load_study([spec_file("one")], installed(), tmp_path / "out", seeds=[0, 1, 2]))
    sent: list[dict[str, Any]] = []
    task = trainer.StudyTrainer(study, Local(1), False, print)._task(tuple(study.runs))
    study.runs[1].folder.mkdir()
    with lock_folder(study.runs[1].folder):
        worker.train_task(task, lambda **message: sent.append(message), Stop())
    ends = {one["run"]: (one["status"], one["error"]) for one in sent if one["event"] == "done"}
    locked = "RunError: out/one/seed-1 is being trained by another process: wait until it has ended, or end it"
    assert ends == {
        "one/seed-0": ("finished", None),
        "one/seed-1": ("failed", locked),
        "one/seed-2": ("finished", None),
    }


def test_experiments_of_one_task_read_data_of_equal_settings_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reports, "_redirect_output", lambda log: log.touch())
    points = [{"kind": "ring", "items": 100, "radius": radius} for radius in (1, 1, 2)]
    files = [spec_file(name, data=data) for name, data in zip(("one", "two", "three"), points, strict=True)]
    study = write_study(load_study(files, installed(), tmp_path / "out"))
    read: list[Any] = []
    used: list[Any] = []

    def noting(self: Resources, config: Any) -> Data:
        read.append(config.radius)
        data: Data = config.build()
        return data

    def keeping(units: Sequence[Any], stop: Stop) -> list[Outcome]:
        used.extend(experiment.data.x.data_ptr() for experiment, _ in units)
        return []

    monkeypatch.setattr(Resources, "_read_files", noting)
    monkeypatch.setattr(tasks, "train_together", keeping)
    worker.train_task(
        trainer.StudyTrainer(study, Local(1), False, print)._task(tuple(study.runs)), lambda **_: None, Stop()
    )
    assert read == [1, 2]
    assert used[0] == used[1] != used[2]


def test_one_run_is_one_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tasks = note_tasks(monkeypatch)
    study = compare.compare([spec_file("one")], jobs=2, folder="out", track=False)
    assert (study.status, tasks) == ("finished", [["one/seed-3"]])
