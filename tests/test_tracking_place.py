"""Where a run happens, and where in MLflow it goes: commit, command, data, the user's own run."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import mlflow
import pytest

from allmodes import Experiment
from allmodes.cli import main as cli_main
from allmodes.cli.compare import _command
from allmodes.text import redact
from allmodes.tracking import surroundings
from allmodes.tracking.sender import reason
from tiny import SPEC
from tracked import FINISHED, Training, logged, runs_in


def train(run: Any, store: str, warn: Any = pytest.fail) -> None:
    observer = Training(store, warn)
    observer.allmodes_run_started(run)
    observer.allmodes_run_finished(run, FINISHED)
    observer.close()


def git(*words: str) -> str:
    who = ("-c", "user.name=me", "-c", "user.email=me@here")
    return subprocess.run(["git", *who, *words], check=True, capture_output=True, text=True).stdout.strip()


def test_a_run_says_by_which_command_and_commit_it_was_made(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        sys, "argv", ["/some/where/train.py", "--lr", "0.1", "--hub-token", "hunter2", "url=http://u:pw@h"]
    )
    git("init", "--initial-branch=mine")
    Path("model.py").write_text("a = 1\n")
    git("add", "model.py")
    git("commit", "--message=first")
    git("remote", "add", "origin", "https://me:0123456789@example.org/mine.git")
    (first,) = runs_in(tmp_path / "a", 0)
    train(first, store)
    Path("model.py").write_text("a = 2\n")
    (second,) = runs_in(tmp_path / "b", 1)
    train(second, store)
    parent, children = logged(client)
    for run, dirty in zip((*children, parent), ("false", "true", "false"), strict=True):
        tags = run.data.tags
        assert tags["mlflow.source.git.commit"] == git("rev-parse", "HEAD")
        assert tags["mlflow.source.git.branch"] == "mine"
        assert tags["mlflow.source.git.repoURL"] == "https://me:***@example.org/mine.git"
        assert tags["allmodes.git.dirty"] == dirty
        assert tags["allmodes.command"] == "train.py --lr 0.1 --hub-token *** url=http://u:***@h"
        assert tags["allmodes.host"]
        assert set(tags) >= {"version.python", "version.torch", "version.mlflow"}
    assert children[0].data.tags["allmodes.folder"] == str(first.folder)
    assert "allmodes.folder" not in parent.data.tags
    assert "hunter2" not in (first.folder / "metrics.jsonl").read_text()


def test_a_folder_without_a_repository_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert not [name for name in surroundings.tags() if "git" in name]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["run", "a b"], "run 'a b'"),
        (["--api-key", "k", "x"], "--api-key *** x"),
        (["--password=zz"], "--password=***"),
        (["--set", "data.token=0123"], "--set data.token=***"),
        (["--set", "x.password: hunter22"], "--set 'x.password: ***'"),
        (["--set", 'x: {"api_key": "a, b"}'], """--set 'x: {"api_key": ***'"""),
        (["--set", "x.password:", "hunter22", "y"], "--set x.password: *** y"),
        (["-H", "Authorization: Bearer abc"], "-H 'Authorization: ***'"),
        (["-H", "Authorization=Bearer abc"], "-H 'Authorization=*** ***'"),
        (["Authorization:", "Bearer", "abc"], "Authorization: Bearer ***"),
        (["--set", "seeds: [0, 1]"], "--set 'seeds: [0, 1]'"),
    ],
)
def test_a_command_is_shown_without_secrets(words: list[str], shown: str) -> None:
    assert redact.command(words) == shown


def test_a_header_in_a_message_is_shown_without_its_token_and_prose_stays() -> None:
    assert redact.text("sent {'Authorization': 'Bearer abc'} to x") == "sent {'Authorization': 'Bearer ***'} to x"
    assert redact.text("x.password: should be text, got 3") == "x.password: should be text, got 3"


def test_the_command_that_a_study_keeps_is_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/allmodes", "compare", "a b", "--api-key", "k", "--set", "x.token: hunter22"])
    assert _command() == "allmodes compare 'a b' --api-key *** --set 'x.token: ***'"


def test_a_description_holds_the_chosen_settings_and_no_path_of_this_machine(
    store: str, client: Any, tmp_path: Path
) -> None:
    (run,) = runs_in(tmp_path, 7)
    spec = run.spec.model_copy(update={"training": run.spec.training.model_copy(update={"iterations": 77})})
    train(replace(run, spec=spec), store)
    parent, (child,) = logged(client)
    for shown in (parent, child):
        page = shown.data.tags["mlflow.note.content"]
        assert "| `training.iterations` | `77` |" in page
        assert "batch_size" not in page
        assert str(tmp_path) not in page
    assert f"`allmodes sample runs:/{child.info.run_id}`" in child.data.tags["mlflow.note.content"]


def test_data_are_named_by_their_file_with_columns_and_the_part_that_is_held_out(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(tmp_path)
    Path("pulses.csv").write_text("width,height\n" + "".join(f"{i / 7},{i % 5}\n" for i in range(100)))
    metrics: dict[str, Any] = {"every": 20, "samples": 8, "metrics": ["wasserstein"], "figure": False}
    data = {"kind": "csv", "path": "pulses.csv", "held_out": 0.2}
    Experiment.from_spec({**SPEC, "data": data, "evaluation": metrics}, folder=tmp_path / "runs").run()
    parent, (child,) = logged(client)
    for run in (parent, child):
        used = {one.tags[0].value: one.dataset for one in run.inputs.dataset_inputs}
        assert {context: one.name for context, one in used.items()} == {
            "training": "pulses.csv",
            "evaluation": "pulses.csv, held out",
        }
        assert json.loads(used["training"].source) == {"uri": str(tmp_path / "pulses.csv")}
        assert [column["name"] for column in json.loads(used["training"].schema)["mlflow_colspec"]] == [
            "width",
            "height",
        ]
        items = {context: json.loads(one.profile)["items"] for context, one in used.items()}
        assert items == {"training": 80, "evaluation": 20}


def test_the_active_run_of_the_user_is_the_parent(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    with mlflow.start_run(run_name="sweep", experiment_id=client.create_experiment("mine")) as outer:
        train(runs_in(tmp_path, 0)[0], store)
    parent, (child,) = logged_in(client, "mine")
    assert parent.data.tags["mlflow.parentRunId"] == outer.info.run_id
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert client.get_run(outer.info.run_id).data.metrics == {}
    assert client.get_experiment_by_name("allmodes") is None


def test_the_experiment_that_the_user_set_by_its_id_gets_the_runs(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", client.create_experiment("mine"))
    train(runs_in(tmp_path / "a", 0)[0], store)
    assert len(logged_in(client, "mine")[1]) == 1
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
    train(replace(runs_in(tmp_path / "b", 0)[0], experiment="another"), store)
    assert len(logged_in(client, "named")[1]) == 1


def logged_in(client: Any, name: str) -> tuple[Any, list[Any]]:
    found = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    kinds = {
        kind: [run for run in found if run.data.tags.get("allmodes.kind") == kind] for kind in ("experiment", "seed")
    }
    (parent,) = kinds["experiment"]
    return parent, kinds["seed"]


def test_the_run_of_the_environment_is_the_parent_and_one_that_is_not_in_the_store_costs_a_warning(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    outer = client.create_run(client.create_experiment("mine")).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", outer)
    train(runs_in(tmp_path / "a", 0)[0], store)
    assert logged_in(client, "mine")[0].data.tags["mlflow.parentRunId"] == outer
    monkeypatch.setenv("MLFLOW_RUN_ID", "f" * 32)
    train(replace(runs_in(tmp_path / "b", 0)[0], experiment="another"), store, warnings.append)
    parent, _ = logged(client)
    assert "mlflow.parentRunId" not in parent.data.tags
    assert warnings == [
        f"MLflow: {store} has no run {'f' * 32}, which MLFLOW_RUN_ID or mlflow.start_run() names: what is logged is "
        "not nested in it; MLFLOW_TRACKING_URI names another store"
    ]


def test_a_further_seed_joins_the_others_though_the_run_of_the_user_is_over(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = runs_in(tmp_path, 0, 1)
    with monkeypatch.context() as patch:
        patch.setenv("MLFLOW_RUN_ID", client.create_run(client.create_experiment("mine")).info.run_id)
        train(first, store)
    train(second, store)
    parent, seeds = logged_in(client, "mine")
    assert {seed.data.tags["mlflow.parentRunId"] for seed in seeds} == {parent.info.run_id}
    assert len(seeds) == 2
    assert client.get_experiment_by_name("allmodes") is None


def test_workers_of_a_study_get_the_command_and_the_run_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    monkeypatch.setattr(sys, "argv", ["allmodes", "compare", "gan/ring"])
    told = surroundings.of_workers()
    assert told == {"ALLMODES_COMMAND": "allmodes compare gan/ring", "MLFLOW_RUN_ID": "0" * 32}
    monkeypatch.setenv("ALLMODES_COMMAND", told["ALLMODES_COMMAND"])
    monkeypatch.setattr(sys, "argv", ["-m"])
    assert surroundings.command() == "allmodes compare gan/ring"


def test_the_kernel_of_a_notebook_has_no_command_and_a_script_that_talks_to_kernels_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["/some/where/train.py", "--lr", "0.1"])
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.setitem(sys.modules, "IPython", ipython := ModuleType("IPython"))
    assert surroundings.command() == "train.py --lr 0.1"
    monkeypatch.setattr(ipython, "get_ipython", lambda: SimpleNamespace(kernel=object()), raising=False)
    assert surroundings.command() == "a notebook"


def test_the_load_of_the_machine_is_logged_where_the_environment_asks_for_it(
    store: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0")
    for place, asked in (("a", "false"), ("b", "true")):
        monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", asked)
        (run,) = runs_in(tmp_path / place, int(asked == "true"))
        observer = Training(store, pytest.fail)
        observer.allmodes_run_started(run)
        for iteration in (5, 10):
            observer.allmodes_metrics_logged(run, iteration, {"train/generator": 1.0})
        observer.allmodes_run_finished(run, FINISHED)
        observer.close()
    _, (without, with_load) = logged(client)
    assert not [name for name in without.data.metrics if name.startswith("system/")]
    metrics = with_load.data.metrics
    assert 0 < metrics["system/system_memory_usage_percentage"] <= 100
    assert 0 < metrics["system/process_memory_usage_megabytes"] < metrics["system/system_memory_usage_megabytes"]
    history = client.get_metric_history(with_load.info.run_id, "system/cpu_utilization_percentage")
    assert [point.step for point in history] == [5, 10]


def test_the_load_of_the_machine_is_logged_by_an_option(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")
    Path("tiny.json").write_text(json.dumps(SPEC))
    assert cli_main.execute(["run", "tiny.json", "--system-metrics", "--quiet"]) == 0
    (log,) = tmp_path.glob("runs/*/seed-3/metrics.jsonl")
    assert '"system/cpu_utilization_percentage"' in log.read_text()


@pytest.mark.parametrize(
    ("address", "shown", "kind"),
    [
        ("foo://me:SECRET@bar", "foo://me:***@bar", "'foo'"),
        ("htp:/x", "htp:/x", "'htp' (did you mean 'http'?)"),
        ("postgres://h/db", "postgres://h/db", "'postgres' (did you mean 'postgresql'?)"),
    ],
)
@pytest.mark.parametrize("command", ["run tiny.json", "compare tiny.json", "ui --store {}", "sync --store {}"])
def test_an_address_of_no_kind_of_store_is_refused_before_anything_is_made(
    command: str,
    address: str,
    shown: str,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    Path("tiny.json").write_text(json.dumps(SPEC))
    assert cli_main.execute(command.format(address).split()) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: {shown}: MLflow has no store of the kind {kind}: give an address such as sqlite:///mlflow.db, "
        "http://HOST:5000 or postgresql://USER@HOST/DATABASE"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.json"]


def test_long_reasons_of_mlflow_end_with_a_sentence_and_folders_are_explained() -> None:
    said = f" Reading failed. {'Please check this. ' * 10}{'And that, ' * 20}"
    assert reason(ValueError(said), "sqlite:///m.db").endswith("Please check this.")
    assert len(reason(ValueError("x" * 300), "sqlite:///m.db")) == 200
    folder = "The filesystem tracking backend (e.g., './mlruns') is in maintenance mode and will not receive updates."
    assert reason(ValueError(folder), "/tmp/mlruns") == (
        "MLflow writes to no folder any more: give a database, such as sqlite:///mlflow.db"
    )
