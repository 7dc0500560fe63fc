"""Studies: training, resuming and refusing runs; tables compared with the runs; MLflow."""

import csv
import io
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from allmodes import Experiment, SpecError, compare
from allmodes.cli import main as cli_main
from allmodes.cli import progress
from allmodes.cli.beat import Beat
from allmodes.cli.console import PlainConsole
from allmodes.registry.registry import installed
from allmodes.runs import journal
from allmodes.runs.run import Outcome
from allmodes.studies import tables, worker
from allmodes.studies.comparison import Comparison, describe_data
from allmodes.studies.executors import Executor, make_executor
from allmodes.studies.load import load_study
from allmodes.studies.monitor import StudyMonitor
from allmodes.studies.study import StudyRun
from allmodes.studies.trainer import StudyTrainer
from allmodes.system.signals import Stop
from allmodes.testing import interrupted
from allmodes.text.numbers import number
from allmodes_schemas import JoinConfig, LocalConfig, RayConfig, SlurmConfig
from tiny import SPEC

BROKEN = {**SPEC["training"], "optimizer": {"kind": "sgd", "lr": 1e30}}
METHODS: dict[str, dict[str, Any]] = {
    "plain": {},
    "wide": {
        "generator": {"kind": "mlp", "hidden": [16]},
        "training": {**SPEC["training"], "discriminator_updates": 2},
    },
    "broken": {"training": BROKEN},
}
ARGUMENTS = ("compare", "plain.json", "wide.json", "broken.json", "--seeds", "0-1", "--jobs", "2", "--folder", "out")


def spec_file(name: str, **changes: Any) -> str:
    Path(f"{name}.json").write_text(json.dumps({**SPEC, "name": name, **changes}))
    return f"{name}.json"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, opened_together: tuple[Path, str]) -> Iterator[tuple[Path, int]]:
    """A study with a method that diverges, logged to a store of its own, and the exit code that it gave."""
    place = tmp_path_factory.mktemp("study")
    shutil.copy(opened_together[0], place / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}")
        patch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
        for name, changes in METHODS.items():
            spec_file(name, **changes)
        yield place, cli_main.execute(ARGUMENTS)


def lines(folder: Path) -> list[dict[str, str]]:
    with (folder / "table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def values(folder: Path, method: str, metric: str) -> list[float]:
    return [float(line["value"]) for line in lines(folder) if (line["method"], line["metric"]) == (method, metric)]


def markdown(folder: Path, method: str) -> dict[str, str]:
    text = (folder / "table.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    found = next(row for row in rows if row[0] == method)
    return {head.rstrip(" ↑↓"): cell.strip("*") for head, cell in zip(rows[0], found, strict=True)}


def test_a_failed_run_is_marked_and_the_others_are_trained(trained: tuple[Path, int]) -> None:
    place, code = trained
    assert code == 1
    table = (place / "out" / "table.md").read_text()
    assert "- broken/seed-0: failed before it was saved: DivergenceError: " in table
    assert [markdown(place / "out", name)["seeds"] for name in METHODS] == ["2", "2", "0 of 2"]
    assert {line["status"] for line in lines(place / "out") if line["method"] == "broken"} == {"failed"}


@pytest.mark.usefixtures("one_process")
def test_finished_seeds_of_an_earlier_run_count_and_missing_ones_are_trained(tmp_path: Path) -> None:
    ran = Experiment.from_spec({**SPEC, "name": "before"}, folder=tmp_path / "runs", track=False).run([0]).folder
    measured = (ran / "seed-0" / "results.json").stat().st_mtime_ns
    study = compare([str(ran)], seeds=[0, 1], jobs=1, folder=tmp_path / "out", track=False)
    assert (study.status, study.row(ran.name).seeds) == ("finished", "2")
    assert (ran / "seed-0" / "results.json").stat().st_mtime_ns == measured
    assert StudyRun(study.study.entries[0], 1).folder == ran / "seed-1"
    assert (tmp_path / "out" / "figure.png").is_file()


def test_a_narrow_terminal_shows_the_first_metrics_and_names_the_file_of_the_others(trained: tuple[Path, int]) -> None:
    study = Comparison(load_study(["plain.json", "wide.json"], installed(), Path("out"), seeds=[0, 1]))
    (wide,), (narrow,) = tables.terminal(study, 500), tables.terminal(study, 60)
    heads = [str(column.header) for column in wide.columns]
    assert heads[:3] == ["method", "seeds", "modes ↑"]
    assert heads[-1] == "seconds"
    left = [str(column.header) for column in narrow.columns]
    assert left == [*heads[: len(left) - 1], "seconds"]
    assert str(wide.caption).startswith("Budgets differ: images seen from 320 to 480 (1.5 times)")
    assert f"{len(heads) - len(left)} more in out/table.md" in str(narrow.caption)


def test_a_run_of_a_study_is_the_run_of_its_spec_and_seed(trained: tuple[Path, int], tmp_path: Path) -> None:
    study = trained[0] / "out"
    alone = Experiment.from_recipe(str(study / "wide"), folder=tmp_path, track=False).run([1])
    assert interrupted.equal_runs(study / "wide" / "seed-1", alone.folder / "seed-1")
    stored = Outcome(**json.loads((study / "wide" / "seed-1" / "results.json").read_text()))
    assert stored.results == pytest.approx(dict(alone.outcomes[1].results), nan_ok=True)
    assert stored.floors == pytest.approx(dict(alone.floors), nan_ok=True)


def test_the_tables_agree_and_their_means_are_those_of_the_seeds(trained: tuple[Path, int]) -> None:
    study = trained[0] / "out"
    for method in ("plain", "wide"):
        each = [json.loads((study / method / f"seed-{s}" / "results.json").read_text())["results"] for s in (0, 1)]
        assert values(study, method, "high_quality") == [one["high_quality"] for one in each]
        mean, error = np.mean([one["modes"] for one in each]), np.std([one["modes"] for one in each], ddof=1) / 2**0.5
        row = markdown(study, method)
        assert row["modes"] == number(mean, error)
        cells = [row[name].replace("±", r"$\pm$").replace("%", r"\%") for name in ("seeds", "modes", "high_quality")]
        plain = re.sub(r"\\(?:textbf|underline)\{(.*?[^\\])\}", r"\1", (study / "table.tex").read_text())
        assert f"{method} & {' & '.join(cells)}" in plain


def test_costs_are_those_of_the_schedule_and_the_networks(trained: tuple[Path, int]) -> None:
    row = markdown(trained[0] / "out", "wide")
    shown = {name: row[name] for name in ("images seen", "G updates", "D updates", "G parameters", "D parameters")}
    assert shown == {
        "images seen": str(8 * 3 * 20),  # two draws for the discriminator, one for the generator
        "G updates": "20",
        "D updates": "40",
        "G parameters": str(2 * 16 + 16 + 16 * 2 + 2),
        "D parameters": str(2 * 8 + 8 + 8 + 1),
    }


def study_in_mlflow() -> tuple[Any, Any, dict[str, Any]]:
    """The client, the study's run, and the others by name."""
    from allmodes.tracking.sender import open_store

    client = open_store(os.environ["MLFLOW_TRACKING_URI"]).client
    runs = client.search_runs([client.get_experiment_by_name("allmodes").experiment_id])
    (study,) = [run for run in runs if run.data.tags["allmodes.kind"] == "study"]
    return client, study, {run.info.run_name: run for run in runs if run is not study}


def test_a_study_is_one_run_in_mlflow_that_holds_its_methods_and_they_their_seeds(trained: tuple[Path, int]) -> None:
    client, study, others = study_in_mlflow()
    seeds = {f"{name}/seed-{seed}" for name in METHODS for seed in (0, 1)}
    assert set(others) == seeds | set(METHODS)
    for name, run in others.items():
        tags, (method, _, seed) = run.data.tags, name.partition("/seed-")
        above = others[method] if seed else study
        assert (tags["mlflow.parentRunId"], tags["allmodes.study"]) == (above.info.run_id, "out")
        assert (tags["allmodes.method"], tags.get("allmodes.seed", "")) == (method, seed)
        assert tags["allmodes.kind"] == ("seed" if seed else "method")
    status = {name: run.info.status for name, run in others.items()}
    assert (status["wide/seed-0"], status["wide"], status["broken"]) == ("FINISHED", "FINISHED", "FAILED")
    files = {file.path for file in client.list_artifacts(study.info.run_id)}
    assert {"table.md", "table.tex", "table.csv", "figure.png", "figure.pdf", "specs"} < files
    assert {"statistics.md", "statistics.csv", "curves.csv", "modes-images.png", "modes-cpu_seconds.png"} < files
    found = {path.name for pattern in ("[a-z]*.*", "curves/*") for path in (trained[0] / "out").glob(pattern)}
    assert files == found - {"study.json"} | {"specs"}
    assert [file.path for file in client.list_artifacts(study.info.run_id, "specs/wide")] == ["specs/wide/spec.yaml"]
    assert study.data.tags["allmodes.methods"] == ", ".join(sorted(METHODS))
    assert study.data.tags["allmodes.prior"] == "gaussian"


def test_a_method_in_mlflow_has_the_means_of_the_table_and_what_real_data_score(trained: tuple[Path, int]) -> None:
    client, _, others = study_in_mlflow()
    for method in ("plain", "wide"):
        metrics = others[method].data.metrics
        for name in ("modes", "high_quality"):
            each = values(trained[0] / "out", method, name)
            assert metrics[name] == pytest.approx(np.mean(each), rel=1e-12)
            assert metrics[f"{name}_se"] == pytest.approx(np.std(each, ddof=1) / 2**0.5, rel=1e-12)
        with (trained[0] / "out" / "table.csv").open(newline="") as file:
            real = {line["metric"]: line["value"] for line in csv.DictReader(file) if line["method"] == "real data"}
        assert metrics["floor/modes"] == float(real["modes"])
        assert others[method].data.params["generator.hidden.0"] == {"plain": "8", "wide": "16"}[method]
        assert "seeds.0" not in others[method].data.params
        assert [file.path for file in client.list_artifacts(others[method].info.run_id)] == ["spec.yaml"]
        assert others[method].data.tags["mlflow.note.content"].startswith("| metric | model | real data |")
        assert others[method].inputs.dataset_inputs[0].dataset.name == "ring"


def test_curves_hold_the_measurements_of_the_logs_and_end_at_the_costs_of_the_runs(trained: tuple[Path, int]) -> None:
    study = trained[0] / "out"
    with (study / "curves.csv").open(newline="") as file:
        points = [line for line in csv.DictReader(file) if line["method"] == "wide" and line["metric"] == "modes"]
    logged = [line for line in journal.read(study / "wide" / "seed-0" / "metrics.jsonl") if "eval/modes" in line]
    mine = [point for point in points if point["seed"] == "0"]
    assert [(int(p["iteration"]), float(p["value"])) for p in mine] == [
        (line["iteration"], line["eval/modes"]) for line in logged
    ]
    outcome = json.loads((study / "wide" / "seed-0" / "results.json").read_text())
    assert float(mine[-1]["images"]) == outcome["costs"]["items"] == 2 * float(mine[0]["images"])
    assert float(mine[-1]["cpu_seconds"]) == outcome["cpu_seconds"]
    assert outcome["start_cpu_seconds"] < float(mine[0]["cpu_seconds"]) < outcome["cpu_seconds"]


def test_a_baseline_that_no_method_matches_is_refused_before_training(trained: tuple[Path, int]) -> None:
    with pytest.raises(SpecError) as error:
        load_study(["plain.json", "wide.json"], installed(), Path("out"), baseline="*-gan")
    assert str(error.value) == "--baseline '*-gan': no method of the study matches: it has plain, wide"


def test_the_same_command_trains_nothing_again_and_another_spec_is_refused(
    trained: tuple[Path, int], capsys: pytest.CaptureFixture[str]
) -> None:
    models = sorted((trained[0] / "out").rglob("*.safetensors"))
    before = [path.stat().st_mtime_ns for path in models]
    again = compare(["plain.json", "wide.json"], seeds=[0, 1], folder="out", track=False, figures=False)
    assert (again.status, again.row("wide").seeds) == ("finished", "2")
    assert [path.stat().st_mtime_ns for path in models] == before
    assert cli_main.execute([*ARGUMENTS, "--set", "training.batch_size=4"]) == 2
    assert capsys.readouterr().err.splitlines()[0] == (
        "error: plain.json: training.batch_size is 8 in out/plain and would be 4: compare into another folder, "
        "or remove out/plain to run the method anew"
    )


def test_all_invalid_specs_are_reported_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = [
        spec_file("good"),
        spec_file("one", training={"iterations": 0}),
        spec_file("two", prior={"kind": "gausian"}),
    ]
    with pytest.raises(SpecError) as error:
        load_study(names, installed(), Path("out"))
    first, second = str(error.value).splitlines()
    assert first.startswith("one.json:1:")
    assert second.startswith("two.json:1:")
    assert not Path("out").exists()
    twin = spec_file("good").replace("good", "twin")
    Path(twin).write_text(Path("good.json").read_text())
    with pytest.raises(
        SpecError, match=r"^good\.json and twin\.json are both named good: give each a name of its own$"
    ):
        load_study(["good.json", twin], installed(), Path("out"))
    with pytest.raises(SpecError, match=r"^none/\*: no recipe matches: `allmodes recipes` lists them$"):
        load_study(["none/*"], installed(), Path("out"))


def test_sigterm_ends_a_script_after_the_tables_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    handle = StudyMonitor.handle

    def terminated(self: StudyMonitor, *arguments: Any) -> None:
        handle(self, *arguments)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(StudyMonitor, "handle", terminated)
    long = spec_file("long", training={**SPEC["training"], "iterations": 10**6})
    with pytest.raises(SystemExit) as ended:
        compare([long], jobs=1, folder="out", track=False, figures=False)
    assert ended.value.code == 143
    assert lines(tmp_path / "out")[0]["status"] == "killed"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_spec_cannot_have_the_name_of_a_file_of_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError) as caught:
        load_study([spec_file("table.md")], installed(), tmp_path / "out")
    message = "table.md.json: name: table.md is a file of the study's own: give the spec another name"
    assert str(caught.value) == message


def test_a_file_in_place_of_a_methods_folder_is_reported_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    Path("out/one").write_text("mine")
    with pytest.raises(SpecError) as error:
        load_study([spec_file("one")], installed(), Path("out"))
    assert str(error.value) == "one.json: out/one is not a folder: move it away"


def test_patterns_expand_to_recipes_and_runs_alternate_between_methods(tmp_path: Path) -> None:
    study = load_study(["gan/[rg]*"], installed(), tmp_path, seeds=[4, 2])
    first = [entry.name for entry in study.entries]
    assert [entry.reference for entry in study.entries] == ["gan/grid", "gan/ring"]
    assert [run.name for run in study.runs] == [f"{name}/seed-{seed}" for seed in (4, 2) for name in first]


def test_interrupted_and_killed_runs_resume_from_their_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    training = {**SPEC["training"], "iterations": 1000, "log_every": 50, "checkpoints": {"every": 100}}
    evaluation = {**SPEC["evaluation"], "every": 1000}
    quiet = ["--no-tracking", "--no-figures", "--jobs", "1"]
    command = ["compare", spec_file("long", training=training, evaluation=evaluation), *quiet]
    advance = progress.StudyProgress.advance

    def interrupting(action: Any) -> None:
        done: list[int] = []

        def once(self: progress.StudyProgress, run: StudyRun, iteration: int) -> None:
            advance(self, run, iteration)
            if iteration >= 100 and not done:
                done.append(iteration)
                action()

        monkeypatch.setattr("allmodes.cli.progress.StudyProgress.advance", once)

    interrupting(lambda: signal.raise_signal(signal.SIGINT))
    assert cli_main.execute([*command, "--seeds", "0"]) == 130
    assert re.search(r"error: long/seed-0: killed, saved at iteration \d+ of 1,000\n", capsys.readouterr().err)
    interrupting(lambda: [child.kill() for child in psutil.Process().children()])
    assert cli_main.execute([*command, "--seeds", "0"]) == 1
    assert "its process was killed by signal 9 (out of memory? try fewer --jobs)" in capsys.readouterr().err
    assert cli_main.execute([*command, "--seeds", "0"]) == 0
    alone = Experiment.from_recipe("long.json", track=False, folder=tmp_path / "alone").run([0])
    assert interrupted.equal_runs(Path("runs/comparison/long/seed-0"), alone.folder / "seed-0")


def test_interrupted_runs_and_runs_not_begun_are_listed_apart(tmp_path: Path) -> None:
    study = load_study(["gan/ring"], installed(), tmp_path, seeds=[0, 1, 2])
    first, second, _ = study.runs
    for run, checkpoint in ((first, "00000050"), (second, "")):
        (run.folder / "checkpoints" / checkpoint).mkdir(parents=True)
        (run.folder / "run.json").write_text("{}")
    comparison = Comparison(study)
    wanted = f"{study.entries[0].spec.training.iterations:,}"
    assert comparison.unfinished == [
        f"{first.name}: interrupted, saved at iteration 50 of {wanted}",
        f"{second.name}: interrupted before it was saved",
    ]
    assert comparison.waiting == [study.runs[2].name]
    assert tables.markdown(comparison).endswith(f"Not begun:\n\n- {study.runs[2].name}\n")


def test_a_run_that_could_not_begin_is_listed_with_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    study = load_study([spec_file("one")], installed(), Path("out"), seeds=[0, 1])
    comparison = Comparison(study, {"one/seed-0": "DataError: data: p.csv is not there"})
    assert comparison.unfinished == ["one/seed-0: not begun: DataError: data: p.csv is not there"]
    assert comparison.waiting == ["one/seed-1"]


def test_the_bar_of_a_study_counts_trained_iterations(tmp_path: Path) -> None:
    first, second = (study := load_study(["gan/ring"], installed(), tmp_path, seeds=[0, 1])).runs
    iterations, lines_printed = study.entries[0].spec.training.iterations, list[str]()
    bar = progress.StudyProgress(PlainConsole(file=io.StringIO()), lines_printed.append)
    bar.begin(study.runs, study.runs)
    bar.advance(first, 10)
    bar.end(first, "killed")
    (task,) = bar.progress.tasks
    assert task.completed == 10
    bar.end(second, "finished")
    assert task.completed == 10 + iterations
    assert lines_printed[-1] == f"{second.name} finished (1 of 2 runs finished)"


def test_without_a_terminal_a_line_tells_how_far_a_study_is(tmp_path: Path) -> None:
    study = load_study(["gan/ring"], installed(), tmp_path, seeds=range(7))
    bar = progress.StudyProgress(PlainConsole(file=io.StringIO()), list[str]().append)
    assert bar.describe() == "0 of 0 runs finished; none in training has logged anything yet"
    bar.begin(study.runs, study.runs[:6])
    for i, run in enumerate(study.runs[:5]):
        bar.advance(run, 10 * i)
    bar.measure(study.runs[1], 10, {"modes": 7.0, "w1": 0.5})
    of = f"of {study.runs[0].iterations:,}"
    assert bar.describe() == (
        f"1 of 7 runs finished; gan-ring/seed-0 at 0 {of}, gan-ring/seed-1 at 10 {of} (modes 7), "
        f"gan-ring/seed-2 at 20 {of}, gan-ring/seed-3 at 30 {of}, 1 more"
    )
    bar.close()


def test_a_beat_says_a_line_after_each_interval_until_it_is_closed() -> None:
    said = list[str]()

    def say() -> None:
        said.append("now")
        if len(said) == 3:
            beat.close()

    beat = Beat(say, interval=0.0)
    beat.run()
    assert said == ["now"] * 3
    beat.run()
    assert said == ["now"] * 3


def test_a_study_begins_with_a_line_about_what_is_trained_where_and_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def stopped(self: StudyTrainer) -> Comparison:
        raise KeyboardInterrupt

    monkeypatch.setattr(StudyTrainer, "run", stopped)
    command = ["compare", "gan/ring", "--vary", "training.engine=eager,stacked", "--seeds", "0-2", "--jobs", "2"]
    for more, store in ((["--no-tracking"], "not logged to MLflow"), ([], "MLflow mlflow.db")):
        cli_main.execute([*command, *more])
        line = capsys.readouterr().err.splitlines()[0].partition(" INFO ")[2]
        assert line == (
            "study gan-ring: 6 runs of 2 methods, 6 to train; folder runs/gan-ring; device auto; engine eager, "
            f"stacked; 2 processes; {store}"
        )


@pytest.mark.parametrize(
    ("executor", "words"),
    [
        (make_executor(LocalConfig(jobs=1)), "1 process"),
        (make_executor(JoinConfig(jobs=2)), "2 processes, beside those of other commands"),
        (make_executor(SlurmConfig(jobs=3, workers=2)), "jobs of Slurm, each of 3 processes"),
        (make_executor(RayConfig()), "tasks of Ray, each of 1 process"),
    ],
)
def test_an_executor_says_what_trains(executor: Executor, words: str) -> None:
    assert executor.describe() == words


def test_a_run_whose_folder_cannot_be_made_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "seed-0").write_text("in the way")
    sent: list[dict[str, Any]] = []
    run = {"name": "one/seed-0", "folder": str(tmp_path), "seed": 0, "position": 0}
    worker.train_task({"runs": [run]}, lambda **message: sent.append(message), Stop())
    error = f"{tmp_path / 'seed-0'}: File exists"
    assert sent == [{"event": "done", "run": "one/seed-0", "status": "failed", "error": error}]


def test_numbers_of_fewer_samples_are_tabulated_apart() -> None:
    def title(*metrics: object) -> str:
        values = {**SPEC, "evaluation": {"samples": 2000, "metrics": list(metrics)}}
        return describe_data(Experiment.from_spec(values, track=False).spec)

    plain = title("modes", "wasserstein")
    assert plain.endswith(" (2,000 samples)")
    assert title("modes") == title({"kind": "wasserstein", "samples": 3000}) == plain  # no more than there are
    fewer = title("modes", {"kind": "wasserstein", "samples": 1000})
    assert fewer == plain.removesuffix(")") + ", wasserstein of 1,000)"
