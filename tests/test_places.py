"""Paths: `.`, `~`, relative ones, and programs that change their working folder."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allmodes import DataError, Experiment, SpecError, hookimpl, load_run
from allmodes.cli import main as cli_main
from allmodes.registry.registry import installed
from allmodes.studies.load import load_study
from allmodes.studies.study import write_study
from allmodes.system.paths import at_home, near, place
from tiny import SPEC

CHEAP = {
    **SPEC,
    "training": {"iterations": 2, "batch_size": 4, "threads": 1},
    "evaluation": {"every": 2, "samples": 10, "metrics": [], "figure": False},
}


class Wandering:
    """An observer that changes the working folder when a run begins."""

    def __init__(self, to: Path) -> None:
        self._to = to

    @hookimpl
    def allmodes_metrics_logged(self, iteration: int, metrics: Mapping[str, float]) -> None:
        os.chdir(self._to)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder beside that in which the test runs, which is `here`."""
    for name in ("here", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "elsewhere"


def rows(path: Path) -> dict[str, Any]:
    np.save(path, np.random.default_rng(0).normal(size=(50, 2)))
    return {"kind": "arrays", "path": path.name, "memory": "stream"}


def test_relative_paths_are_resolved_when_a_command_begins(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = elsewhere.parent / "here"
    monkeypatch.setenv("HOME", str(elsewhere))
    assert (place("."), place("a"), place(".."), place("../a")) == (here, here / "a", here.parent, here.parent / "a")
    assert (place("~"), at_home("~/a"), at_home("a")) == (elsewhere, elsewhere / "a", Path("a"))
    assert place("~no-such-user/a") == here / "~no-such-user/a"
    assert (near(here / "a"), near(here), near(elsewhere)) == (Path("a"), Path(), elsewhere)


def test_a_run_stays_in_its_folder_when_the_program_changes_directory(elsewhere: Path) -> None:
    spec = {**CHEAP, "data": rows(Path("rows.npy")), "training": {**CHEAP["training"], "log_every": 1}}
    experiment = Experiment.from_spec(
        spec, folder="runs", track=False, observers={"wandering": Wandering(elsewhere)}, warn=pytest.fail
    )
    results = experiment.run()
    assert results.folder.parent == elsewhere.parent / "here" / "runs"
    seed = results.folder / "seed-3"
    assert all((seed / name).exists() for name in ("metrics.jsonl", "model/model.json", "results.json"))
    assert list(elsewhere.iterdir()) == []


def test_every_path_may_begin_with_the_home_folder(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(elsewhere))
    rows(elsewhere / "rows.npy")
    np.save(elsewhere / "labels.npy", np.arange(50) % 2)
    data = {"kind": "arrays", "path": "~/rows.npy", "labels": "~/labels.npy", "test_path": "~/rows.npy"}
    run = Experiment.from_spec({**CHEAP, "data": data}, folder="~/runs", track=False).run().folder
    assert run.parent == elsewhere / "runs"
    reference = f"~/runs/{run.name}"
    assert load_run(reference).sample(2).shape == (2, 2)
    assert cli_main.execute(["sample", reference, "-n", "2", "--out", "~/x.csv"]) == 0
    assert cli_main.execute(["export", reference, "~/exported"]) == 0
    assert cli_main.execute(["validate", f"{reference}/spec.yaml"]) == 0
    assert (elsewhere / "x.csv").is_file()
    assert (elsewhere / "exported" / "model.json").is_file()
    assert list(Path().iterdir()) == []


def test_commands_take_the_working_folder_as_a_run(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Given as `.` or by a name in it."""
    run = Experiment.from_spec(CHEAP, folder=".", track=False).run().folder
    monkeypatch.chdir(run / "seed-3")
    more = ["--set", "training.iterations=3", "--no-tracking", "--quiet"]
    assert cli_main.execute(["resume", ".", *more]) == 0
    monkeypatch.chdir(run)
    more[1] = "training.iterations=4"
    assert cli_main.execute(["resume", ".", *more]) == 0
    assert load_run(".").iteration == 4
    assert cli_main.execute(["sample", ".", "-n", "2", "--out", "x.npz"]) == 0
    assert cli_main.execute(["evaluate", ".", "--no-tracking"]) == 0
    monkeypatch.chdir(elsewhere)
    assert cli_main.execute(["export", str(run), "."]) == 0
    names = {path.name for path in Path().iterdir()}
    assert names == {"README.md", "generator.safetensors", "model.json", "samples.png", "spec.yaml"}
    assert Path.cwd().samefile(elsewhere)
    assert cli_main.execute(["export", str(run), "."]) == 2
    assert capsys.readouterr().err.endswith("already exists, and nothing is overwritten: choose another folder\n")


def test_missing_relative_data_are_explained(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = elsewhere.parent / "here"
    run = Experiment.from_spec({**CHEAP, "data": rows(Path("rows.npy"))}, track=False).run().folder
    monkeypatch.chdir(elsewhere)
    for begin in (
        lambda: Experiment.resume(run, ["training.iterations=3"]).run(),
        lambda: Experiment.from_recipe(str(run), track=False).run(),
    ):
        with pytest.raises(DataError) as caught:
            begin()
        assert str(caught.value).startswith("data: rows.npy")
        assert f"(relative paths are looked for in {elsewhere}" in str(caught.value)
    with pytest.raises(DataError, match=f"the run was begun in {here}, so go there or give"):
        Experiment.resume(run, ["training.iterations=3"]).run()


@pytest.mark.parametrize(
    "name", ["..", ".", "-x", ".x", "a/b", "a\\b", "CON", "nul.txt", "x" * 101, "字" * 80, "a\x1b"]
)
def test_names_that_cannot_be_folders_are_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=r"^spec: name: (should|has|takes) "):
        Experiment.from_spec({**SPEC, "name": name})
    with pytest.raises(SpecError, match=r"^--name .*: (should|takes) "):
        load_study(["gan/ring"], installed(), Path("study"), name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["it's", "back\\slash", "new\nline", "é字", "a b", "..."])
def test_a_study_is_named_after_its_folder_and_has_a_plain_id(name: str, tmp_path: Path) -> None:
    study = write_study(load_study(["gan/ring"], installed(), tmp_path / name))
    assert study.name == name.replace("\n", "_")
    assert re.fullmatch(r"[\w.-]+-[0-9a-f]{8}", study.id)
    assert study.folder == tmp_path / name


@pytest.mark.parametrize("seeds", [[1.5], ["0"], [True], [0, 0], [], "0", 5, [-1], [2**63], [None]])
def test_seeds_from_python_are_checked_before_anything_is_written(seeds: Any, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^seeds: "):
        Experiment.from_spec(CHEAP, folder=tmp_path, track=False).run(seeds)
    assert list(tmp_path.iterdir()) == []


def test_seeds_of_other_libraries_are_seeds(tmp_path: Path) -> None:
    results = Experiment.from_spec(CHEAP, folder=tmp_path, track=False).run(np.arange(1))  # type: ignore[arg-type]
    assert (results.folder / "seed-0" / "results.json").is_file()


@pytest.mark.parametrize(
    "text", ["9223372036854775808", "²", "٣", "0-99999999999", "9" * 40, "1.5", "0x1", "+1", "1_0"]
)
def test_invalid_seeds_print_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_main.execute(["run", "gan/ring", "--no-tracking", "--seeds", text]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --seeds {text}: ")
