"""Trained models read back: from runs, checkpoints and exports; what they give, and what is said when they cannot."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from allmodes import Experiment, ModelError, SpecError, load, load_run
from allmodes.builtin.priors import Gaussian
from allmodes.cli import main as cli_main
from allmodes.cli import samples
from allmodes.data.standardisation import Standardisation
from allmodes.experiments.remeasure import remeasure_all
from allmodes.models.format import make_page, save
from allmodes.models.trained import Model
from allmodes.registry.registry import installed
from allmodes.runs.journal import Journal, numbers, read
from tiny import SPEC

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two seeds with a best checkpoint."""
    training = {**SPEC["training"], "checkpoints": {"every": 5, "best": "w1"}}
    evaluation = {**SPEC["evaluation"], "metrics": ["modes", {"kind": "wasserstein", "samples": 32}], "figure": False}
    spec = {**SPEC, "training": training, "evaluation": evaluation, "seeds": [3, 4]}
    return Experiment.from_spec(spec, folder=tmp_path_factory.mktemp("runs"), track=False).run().folder


def test_an_exported_model_samples_as_its_run_does(folder: Path, tmp_path: Path) -> None:
    exported = load_run(folder).export(tmp_path / "given" / "away")
    assert torch.equal(load_run(exported).sample(9, seed=2), load_run(folder / "seed-3").sample(9, seed=2))
    assert {path.name for path in exported.iterdir()} == {
        "README.md", "generator.safetensors", "model.json", "samples.png", "spec.yaml",
    }  # fmt: skip


def test_the_model_card_has_a_header_and_the_numbers_beside_those_of_real_data(folder: Path, tmp_path: Path) -> None:
    card = (load_run(folder).export(tmp_path / "model") / "README.md").read_text()
    _, header, body = card.split("---\n", 2)
    facts = YAML(typ="safe").load(header)
    assert facts["library_name"] == "allmodes"
    assert {"gan", "gaussian", "non_saturating", "r1"} <= set(facts["tags"])
    last = {k: v for line in read(folder / "seed-3" / "metrics.jsonl") for k, v in line.items() if "eval/" in k}
    assert f"| w1 | {last['eval/w1']:.4g} |" in body
    assert 'pip install "allmodes>=0.1.0"' in body


def test_a_saved_folder_is_one_that_model_hubs_take(folder: Path, tmp_path: Path) -> None:
    saved = load(folder).save(tmp_path / "model")
    assert torch.equal(load(saved).sample(9, seed=2), load_run(folder).sample(9, seed=2))
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", path.name) and path.is_file() for path in saved.iterdir())
    begin, header, _ = (saved / "README.md").read_text("utf-8").split("---\n", 2)
    facts = YAML(typ="safe").load(header)
    assert begin == ""
    assert set(facts) == {"library_name", "tags", "datasets", "metrics", "model-index"}
    assert all(isinstance(word, str) for name in ("tags", "datasets", "metrics") for word in facts[name])
    last: dict[str, float] = {}
    for line in read(folder / "seed-3" / "metrics.jsonl"):
        last |= {key: value for key, value in numbers(line).items() if key.startswith("eval/")}
    (index,) = facts["model-index"]
    (result,) = index["results"]
    assert (index["name"], result["dataset"]) == ("tiny", {"type": "ring", "name": "ring"})
    assert result["task"] == {"type": "other"}
    found = {f"eval/{one['type']}": one["value"] for one in result["metrics"]}
    assert found == {key: value for key, value in last.items() if np.isfinite(value)}
    assert "w1" in facts["metrics"]


def test_an_export_overwrites_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(SpecError) as error:
        load_run(folder).export(tmp_path)
    assert str(error.value) == f"{tmp_path}: already exists, and nothing is overwritten: choose another folder"
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_the_best_the_last_and_a_numbered_checkpoint_can_be_read(folder: Path) -> None:
    last = load_run(folder, checkpoint="last")
    assert (last.iteration, load_run(folder, checkpoint="20").iteration) == (20, 20)
    assert load_run(folder, checkpoint="best").iteration in (10, 20)
    assert torch.equal(last.sample(4), load_run(folder).sample(4))


def test_a_run_that_has_not_ended_gives_its_newest_checkpoint(folder: Path, tmp_path: Path) -> None:
    running = Path(shutil.copytree(folder / "seed-3", tmp_path / "seed-3"))
    shutil.rmtree(running / "model")
    assert torch.equal(load_run(running).sample(4), load_run(folder).sample(4))
    shutil.rmtree(running / "checkpoints")
    with pytest.raises(ModelError) as error:
        load_run(running)
    assert str(error.value) == f"{running / 'model'} holds no model: the run has not saved one yet"


def test_a_model_of_a_plugin_that_is_not_there_names_what_to_install(folder: Path, tmp_path: Path) -> None:
    exported = load_run(folder).export(tmp_path / "model")
    text = (exported / "spec.yaml").read_text()
    (exported / "spec.yaml").write_text(text.replace("kind: gaussian", "kind: acme.bump"))
    with pytest.raises(SpecError, match="pip install allmodes-acme"):
        load_run(exported)


def test_loading_a_model_warns_of_a_plugin_of_another_version(folder: Path, tmp_path: Path) -> None:
    exported = load_run(folder).export(tmp_path / "model")
    page = json.loads((exported / "model.json").read_text())
    (exported / "model.json").write_text(json.dumps({**page, "plugins": {"allmodes": "0.0.1"}}))
    with pytest.warns(UserWarning, match=r"^this model was made with allmodes 0\.0\.1, and 0\.1\.0 is installed$"):
        load_run(exported)


def test_measuring_again_gives_what_the_run_logged(folder: Path) -> None:
    logged = numbers(read(folder / "seed-4" / "metrics.jsonl")[-1])
    (first, second) = remeasure_all(folder, [], None, installed(), track=False, warn=pytest.fail)
    assert (first.run.seed, second.run.seed, second.iteration) == (3, 4, 20)
    assert {f"eval/{key}": str(value) for key, value in second.results.items()} == {
        key: str(value) for key, value in logged.items() if key.startswith("eval/")
    }
    assert read(folder / "seed-4" / "metrics.jsonl")[-1]["eval/w1"] == second.results["w1"]
    assert second.floors["modes"] == 8


def test_measuring_with_other_metrics_needs_no_training(folder: Path) -> None:
    changes = ["evaluation.metrics=[wasserstein]", "evaluation.samples=16"]
    (found,) = remeasure_all(folder / "seed-3", changes, "best", installed(), track=False, warn=pytest.fail)
    assert list(found.results) == ["w1"]
    with pytest.raises(SpecError, match="it decides what is trained"):
        remeasure_all(folder, ["prior.dim=3"], None, installed(), track=False, warn=pytest.fail)


def model_with(units: Standardisation | None, shape: tuple[int, ...], tmp_path: Path) -> Model:
    class Same(torch.nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return z.reshape(-1, *shape).clamp(-1, 1)

    modules = {"prior": Gaussian(int(np.prod(shape))), "generator": Same()}
    stored = save(modules, make_page(modules, shape, units, 7), tmp_path / "model")
    return Model(None, modules, shape, tmp_path, stored, units, 7)  # type: ignore[arg-type]


def test_samples_come_in_the_units_of_the_data_with_the_names_of_the_columns(tmp_path: Path) -> None:
    units = Standardisation((10.0, -5.0), (2.0, 0.5), ("height", "weight"))
    model, plain = (model_with(u, (2,), tmp_path) for u in (units, None))
    expected = plain.sample(5).double() * torch.tensor([2.0, 0.5]) + torch.tensor([10.0, -5.0])
    torch.testing.assert_close(model.sample(5), expected)
    samples.write(model, model.sample(5), tmp_path / "x.csv")
    with (tmp_path / "x.csv").open() as file:
        names, *rows = csv.reader(file)
    assert names == ["height", "weight"]
    np.testing.assert_allclose(np.array(rows, dtype=float), expected, rtol=1e-6)
    samples.write(model, model.sample(5), tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz", allow_pickle=False) as file:
        assert file["columns"].tolist() == ["height", "weight"]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_takes_a_picture_for_each_sample(channels: int, tmp_path: Path) -> None:
    from PIL import Image

    model = model_with(None, (channels, 4, 4), tmp_path)
    items = model.sample(3)
    samples.write(model, items, tmp_path / "pictures")
    found = sorted((tmp_path / "pictures").iterdir())
    assert [path.name for path in found] == ["000000.png", "000001.png", "000002.png"]
    pixels = np.asarray(Image.open(found[1]).convert("RGB")).transpose(2, 0, 1)[:channels]
    np.testing.assert_allclose(pixels, (items[1].numpy() + 1) * 127.5, atol=0.51)
    with pytest.raises(SpecError, match="the folder is not empty, and nothing is overwritten"):
        samples.check(tmp_path / "pictures")


def test_points_do_not_go_into_a_folder_of_pictures(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        samples.write(model := model_with(None, (2,), tmp_path), model.sample(2), tmp_path / "pictures")
    wrong = "a folder takes pictures, but these samples have shape (2,): use .npz"
    assert str(error.value) == f"--out {tmp_path / 'pictures'}: {wrong}"


def test_the_command_line_exports_samples_and_measures(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    model = str(tmp_path / "model")
    assert cli_main.execute(["export", str(folder), model]) == 0
    assert cli_main.execute(["sample", model, "-n", "6", "--out", str(tmp_path / "x.npz")]) == 0
    assert np.load(tmp_path / "x.npz")["samples"].shape == (6, 2)
    arguments = ["--metric", "{kind: wasserstein, samples: 8}", "--samples", "8", "--no-tracking"]
    assert cli_main.execute(["evaluate", str(folder), *arguments]) == 0
    table = capsys.readouterr().out
    assert all(word in table for word in ("w1", "real data", "seed 3", "seed 4"))
    assert cli_main.execute(["evaluate", str(tmp_path)]) == 2
    said = f"error: {tmp_path}: no run to measure there: give the folder that `allmodes run` printed\n"
    assert capsys.readouterr().err == said


def test_the_command_line_resumes_and_prints_what_is_left(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    again = str(shutil.copytree(folder, tmp_path / "again"))
    assert cli_main.execute(["resume", again, "-q"]) == 2
    assert "is finished at iteration 20: to train on, set more" in capsys.readouterr().err
    assert cli_main.execute(["resume", again, "-q", "--set", "training.iterations=25"]) == 0
    assert [json.loads(p.read_text())["iteration"] for p in sorted(Path(again).glob("*/results.json"))] == [25, 25]


def test_every_event_is_a_line_of_strict_json_on_request(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "tiny.json").write_text(json.dumps(SPEC))
    arguments = ["run", str(tmp_path / "tiny.json"), "--no-tracking", "--json", "-o", str(tmp_path / "runs")]
    assert cli_main.execute(arguments) == 0
    captured = capsys.readouterr()
    lines = [json.loads(line, parse_constant=pytest.fail) for line in captured.out.splitlines()]
    begun = [line for line in lines if line["event"] not in ("announced", "waiting")]
    assert [line["event"] for line in (lines[0], begun[0], lines[-1])] == ["announced", "run_started", "run_finished"]
    assert [line["iteration"] for line in lines if line["event"] == "metrics"] == [1, 5, 10, 10, 15, 20, 20]
    assert {"time", "level", "message", "run", "folder"} <= lines[3].keys()
    assert captured.err == ""


def test_where_nobody_watches_evaluations_are_log_lines(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "tiny.json").write_text(json.dumps(SPEC))
    assert cli_main.execute(["run", str(tmp_path / "tiny.json"), "--no-tracking", "-o", str(tmp_path / "runs")]) == 0
    lines = [line.partition(" INFO ")[2] for line in capsys.readouterr().err.splitlines()]
    (folder,) = (tmp_path / "runs").iterdir()
    assert lines[0].startswith(f"tiny: 20 iterations of seed 3; folder {folder}; device ")
    begins = lines.index(f"tiny/seed-3 begins: 20 iterations on cpu, in {folder / 'seed-3'}")
    assert lines[begins + 1].startswith("tiny/seed-3 10/20  modes ")
    assert lines[-1] == "tiny/seed-3 finished at iteration 20"


def test_a_journal_on_a_full_disk_warns_once_and_loses_no_line(tmp_path: Path) -> None:
    said: list[str] = []
    journal = Journal(tmp_path / "gone" / "metrics.jsonl", said.append)
    journal.write(1, {"a": 1.0})
    journal.write(2, {"a": 2.0})
    assert said == [f"{journal.path} cannot be written (No such file or directory); the run goes on, the lines wait"]
    (tmp_path / "gone").mkdir()
    journal.write(3, {"a": 3.0})
    assert [line["a"] for line in read(journal.path)] == [1.0, 2.0, 3.0]


def test_a_journal_cut_short_is_read_up_to_the_cut_and_resumed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "metrics.jsonl", pytest.fail)
    for iteration in (1, 2, 3):
        journal.write(iteration, {"a": float(iteration)})
    journal.path.write_bytes(journal.path.read_bytes() + b'{"iteration": 4, "a"')
    said: list[str] = []
    assert [line["iteration"] for line in read(journal.path, said.append)] == [1, 2, 3]
    assert said == [f"{journal.path}:4: the line is damaged and left out"]
    journal.write(5, {"a": 5.0})
    assert [line["iteration"] for line in read(journal.path, said.append)] == [1, 2, 3, 5]
    assert said == 2 * said[:1]
    Journal(journal.path, pytest.fail).start(2)
    journal.write(3, {"a": 30.0})
    assert [line["a"] for line in read(journal.path, pytest.fail)] == [1.0, 2.0, 30.0]
