"""A warm start takes weights of equal names and shapes, tells the rest, and happens once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from allmodes import Experiment, ModelError, Results, SpecError, load_run
from allmodes.experiments import logs
from allmodes.models.warm_start import take_weights
from allmodes.runs.run_folder import RunFolder
from allmodes.testing.interrupted import InterruptingObserver, equal_runs, first_seed, read_tensors
from tiny import SPEC

MLP = {"kind": "mlp", "hidden": [8]}
RECONSTRUCTOR = {"reconstructor": {"kind": "veegan.reconstructor", "network": MLP}}


def made(folder: Path, changes: Mapping[str, Any] = {}, **training: Any) -> Experiment:
    spec = {**SPEC, **changes, "training": {**SPEC["training"], **training}}
    return Experiment.from_spec(spec, folder=folder, track=False, warn=[].append)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A run of two seeds that are known to differ."""
    return made(tmp_path_factory.mktemp("source"), {"seeds": [3, 4]}, ema={"decay": 0.9}).run()


class Begun:
    """Keeps the first weights of a run: those of the checkpoint that a stop before the first iteration saves."""

    def allmodes_run_started(self, run: Any) -> None:
        if run.iteration == 0:
            run.stop("only its beginning is looked at")


def begin(folder: Path, changes: Mapping[str, Any] = {}, **training: Any) -> Results:
    return made(folder, changes, **training).run(observers=[Begun()])


def facts(results: Results) -> Any:
    return json.loads(RunFolder(first_seed(results)).page.read_text())["began_with"]


def test_a_run_begins_with_the_newest_checkpoint_of_the_same_seed(source: Results, tmp_path: Path) -> None:
    run = source.folder / "seed-4"
    begun = begin(tmp_path, {"seeds": [4]}, **{"from": str(source.folder)})
    stored, own = read_tensors(run), read_tensors(first_seed(begun))
    networks = [name for name in own if name.startswith(("generator/", "discriminator/"))]
    assert networks
    assert all(own[name].equal(stored[name]) for name in networks)
    assert facts(begun)["folder"] == str(RunFolder(run).checkpoints[0])
    assert facts(begun)["iteration"] == 20
    assert [facts(begun)[rest] for rest in ("new", "left", "reshaped")] == [[], [], []]
    other = read_tensors(first_seed(begin(tmp_path, {"seeds": [4]})))
    assert not any(own[name].equal(other[name]) for name in networks if name.endswith("head.weight"))


def test_a_seed_that_the_run_lacks_begins_with_its_first(source: Results, tmp_path: Path) -> None:
    begun = begin(tmp_path, {"seeds": [9]}, **{"from": str(source.folder)})
    assert "seed-3" in facts(begun)["folder"]


def test_moving_averages_go_to_moving_averages_or_follow_the_weights(source: Results, tmp_path: Path) -> None:
    stored = read_tensors(source.folder / "seed-3")
    kept = read_tensors(first_seed(begin(tmp_path, ema={"decay": 0.9}, **{"from": str(source.folder)})))
    assert kept["average.generator/head.weight"].equal(stored["average.generator/head.weight"])
    assert not kept["average.generator/head.weight"].equal(kept["generator/head.weight"])
    plain = made(tmp_path / "plain").run()
    followed = read_tensors(first_seed(begin(tmp_path, ema={"decay": 0.9}, **{"from": str(plain.folder)})))
    assert followed["average.generator/head.weight"].equal(followed["generator/head.weight"])


def test_an_exported_model_gives_its_generator_and_the_rest_is_named(source: Results, tmp_path: Path) -> None:
    exported = load_run(source.folder / "seed-3").export(tmp_path / "export")
    begun = begin(tmp_path, **{"from": str(exported)})
    own = read_tensors(first_seed(begun))
    assert all(
        own[f"generator/{key}"].equal(value) for key, value in load_file(exported / "generator.safetensors").items()
    )
    assert facts(begun)["new"]
    assert all(name.startswith("discriminator.") for name in facts(begun)["new"])


def test_other_networks_give_what_is_equal_and_all_else_is_told(
    source: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs.LOGGER, "isEnabledFor", lambda level: False)  # another test may have started a log
    warned: list[str] = []
    wider = {"discriminator": {"kind": "mlp", "hidden": [8, 8]}, "auxiliaries": RECONSTRUCTOR}
    losses = [{"kind": "non_saturating"}, {"kind": "veegan.code_reconstruction"}]
    experiment = made(tmp_path, {**wider, "losses": losses}, **{"from": str(source.folder)})
    experiment.warn = warned.append
    begun = experiment.run(observers=[Begun()])
    found = facts(begun)
    assert any(name.startswith("reconstructor.") for name in found["new"])
    assert any(name.startswith("discriminator.") for name in found["new"])
    assert found["taken"] > 0
    line = next(text for text in warned if "begins with" in text)
    assert f"begins with {found['taken']} tensors of " in line
    assert "; new: " in line


def test_tensors_are_sorted_by_hand(source: Results) -> None:
    folder = RunFolder(source.folder / "seed-3").checkpoints[0]
    stored = load_file(folder / "generator.safetensors")
    names = list(stored)
    generator = torch.nn.ParameterDict({"other": torch.nn.Parameter(torch.zeros(1))})
    module = torch.nn.Module()
    for key, value in stored.items():
        parent = module
        *path, leaf = key.split(".")
        for part in path:
            parent = parent._modules.setdefault(part, torch.nn.Module())  # type: ignore[assignment]
        shape = (*value.shape, 2) if key == names[0] else value.shape
        parent.register_parameter(leaf, torch.nn.Parameter(torch.zeros(shape)))
    module.extra = generator
    found = take_weights({"generator": module}, folder)
    assert found.taken == [f"generator.{name}" for name in names[1:]]
    assert found.new == ["generator.extra.other"]
    assert [text.partition(" ")[0] for text in found.reshaped] == [f"generator.{names[0]}"]
    assert {name.partition(".")[0] for name in found.left} == {"discriminator"}
    assert all(module.state_dict()[name].equal(stored[name]) for name in names[1:])


def test_nothing_equal_is_an_error(source: Results, tmp_path: Path) -> None:
    folder = RunFolder(source.folder / "seed-3").checkpoints[0]
    with pytest.raises(ModelError, match=r"^training.from: .* holds no weight with a name and a shape of this spec's"):
        take_weights({"generator": torch.nn.Linear(3, 5)}, folder)


def test_a_missing_run_is_named_with_line_and_column_before_anything_is_written(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "name: tiny\ndata: {kind: ring}\nprior: {kind: gaussian, dim: 2}\ngenerator: {kind: mlp}\n"
        "discriminator: {kind: mlp}\nlosses: [{kind: non_saturating}]\ntraining:\n  iterations: 2\n  from: gone\n"
    )
    with pytest.raises(SpecError) as error:
        Experiment.from_recipe(str(spec), folder=tmp_path / "runs", track=False)
    assert str(error.value).startswith(f"{spec}:9:3: training.from: gone: no such file or folder in {Path.cwd()}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        SpecError, match=r"--set: training.from: .*empty is neither the folder of a run nor an exported"
    ):
        Experiment.from_recipe(str(spec), [f"training.from={tmp_path / 'empty'}"], folder=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_run_goes_on_without_the_one_that_it_began_with(source: Results, tmp_path: Path) -> None:
    exported = load_run(source.folder).export(tmp_path / "export")
    options = {"log_every": 1, "checkpoints": {"every": 5}, "from": str(exported)}
    unbroken = made(tmp_path / "unbroken", **options).run()
    broken = made(tmp_path / "broken", **options).run(observers=[InterruptingObserver(7)])
    exported.rename(tmp_path / "gone")
    resumed = Experiment.resume(broken.folder, track=False).run()
    assert equal_runs(first_seed(resumed), first_seed(unbroken))
    assert facts(resumed)["folder"] == str(exported)
    assert load_run(resumed.folder).iteration == 20


def test_a_relative_path_is_looked_for_where_the_run_was_started(
    source: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.folder.parent)
    experiment = made(tmp_path, **{"from": source.folder.name})
    monkeypatch.chdir(tmp_path)
    assert facts(experiment.run(observers=[Begun()]))["iteration"] == 20


def test_the_card_names_the_run_that_a_model_began_with(source: Results, tmp_path: Path) -> None:
    begun = begin(tmp_path, **{"from": str(source.folder)})
    card = load_run(begun.folder).export(tmp_path / "export") / "README.md"
    assert f"- begun with weights of {source.folder}\n" in card.read_text()
