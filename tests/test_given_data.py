"""Data that come from Python and not from a file, pictures that metrics draw, and specs that try to run something."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import Dataset

from allmodes import DataError, Experiment, Metric, SpecError, hookimpl, load_run
from allmodes.data import torchvision_images
from allmodes.experiments.settings import Setup
from allmodes.metrics import Evaluation
from allmodes.specs.loading import load
from fixtures.distributions import first_party
from tiny import SPEC


class Points(Dataset[torch.Tensor]):
    """Points without the tuple that torch wraps them in."""

    def __init__(self, seed: int = 0) -> None:
        self.x = torch.randn(120, 2, generator=torch.Generator().manual_seed(seed))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, position: int) -> torch.Tensor:
        return self.x[position]


SHORT = {**SPEC, "evaluation": {"every": 10, "samples": 16, "metrics": ["wasserstein"], "figure": False}}


def test_a_data_set_of_torch_trains_and_the_run_reports_that_its_spec_is_not_enough(tmp_path: Path) -> None:
    results = Experiment.from_spec(SHORT, data=Points(), folder=tmp_path, track=False).run()
    assert results.status == "finished"
    page = json.loads((results.folder / "seed-3" / "run.json").read_text())
    assert (page["rerunnable"], page["data"]["kind"], page["data"]["items"]) == (False, "python", 108)
    with pytest.raises(DataError) as error:
        Experiment.from_recipe(str(results.folder), folder=tmp_path, track=False).run()
    assert str(error.value) == "data: data came from Python: pass data=... to Experiment"
    assert load_run(results.folder).sample(3).shape == (3, 2)


def test_a_run_on_data_from_python_goes_on_with_the_same_data_only(tmp_path: Path) -> None:
    results = Experiment.from_spec(SHORT, data=Points(), folder=tmp_path, track=False).run()
    longer = ["training.iterations=30"]
    with pytest.raises(DataError, match="was trained on other data"):
        Experiment.resume(results.folder, longer, data=Points(seed=1)).run()
    assert Experiment.resume(results.folder, longer, data=Points()).run().outcomes[3].iteration == 30


def test_a_recipe_takes_data_from_python(tmp_path: Path) -> None:
    overrides = [
        "training.iterations=2",
        "training.batch_size=32",
        "evaluation.metrics=[wasserstein]",
        "evaluation.samples=8",
        "seeds=[0]",
    ]
    experiment = Experiment.from_recipe("gan/ring", overrides, data=Points(), folder=tmp_path, track=False)
    assert experiment.run().status == "finished"


class Drawing(Metric):
    """A metric with a picture, or with an error."""

    broken = False

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if self.broken:
            raise ZeroDivisionError("no samples")
        return {"drawn": 1.0}

    def figure(self, evaluation: Evaluation) -> Any:
        from matplotlib.figure import Figure

        return Figure()


class Watching:
    """An observer that notes pictures."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @hookimpl
    def allmodes_samples_drawn(self, iteration: int, figure: Path, name: str) -> None:
        assert figure.is_file()
        self.seen.append(f"{iteration} {name} {figure.name}")


def test_the_figure_of_a_metric_is_written_under_its_name(tmp_path: Path) -> None:
    watching = Watching()
    spec = {**SPEC, "evaluation": {**SPEC["evaluation"], "figure": True}}
    experiment = Experiment.from_spec(spec, folder=tmp_path, track=False, observers={"watching": watching})
    experiment.resources.__dict__["metrics"] = {"drawing": Drawing()}
    experiment.run()
    assert watching.seen == [
        "10 samples samples-00000010.png", "10 drawing drawing-00000010.png",
        "20 samples samples-00000020.png", "20 drawing drawing-00000020.png",
    ]  # fmt: skip


def test_a_metric_that_fails_costs_a_warning_and_not_the_run(tmp_path: Path) -> None:
    warnings: list[str] = []
    experiment = Experiment.from_spec(SHORT, folder=tmp_path, track=False, warn=warnings.append)
    broken = Drawing()
    broken.broken = True
    experiment.resources.__dict__["metrics"], experiment.resources.__dict__["floors"] = {"drawing": broken}, {}
    assert experiment.run().status == "finished"
    assert (
        warnings
        == ["metric drawing (tests.test_given_data): ZeroDivisionError: no samples: its numbers are left out"] * 2
    )


class Reading(Drawing):
    """A metric that reads the model, which real data do not have."""

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return {"read": float(len(list(evaluation.modules["generator"].parameters())))}


@pytest.mark.parametrize("shared", [False, True])
def test_a_metric_whose_floor_fails_costs_a_warning_and_not_the_run(tmp_path: Path, shared: bool) -> None:
    warnings: list[str] = []
    options: dict[str, Any] = {
        "track": False,
        "warn": warnings.append,
        "setup": Setup(floors=tmp_path / "f" if shared else None),
    }
    experiment = Experiment.from_spec(SHORT, folder=tmp_path, **options)
    experiment.resources.__dict__["metrics"] = {"reading": Reading(), "drawing": Drawing()}
    results = experiment.run()
    assert (results.status, results.floors) == ("finished", {"drawn": 1.0})
    assert warnings == ["floor of metric reading (tests.test_given_data): KeyError: 'generator'"]


@pytest.mark.parametrize(
    "harm", ["!!python/object/apply:os.system ['touch {}']", "!!python/name:os.system", "!touch {}"]
)
def test_a_tag_in_a_spec_runs_nothing(harm: str, tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "spec.yaml"
    text = json.dumps({**SPEC, "description": "HARM"}).replace('"HARM"', harm.format(mark))
    file.write_text(text)
    with pytest.raises(SpecError):
        load(str(file), first_party())
    assert not mark.exists()


@pytest.mark.parametrize("name", ["os.system", "builtins:eval", "../../etc/passwd", "allmodes.cli:main"])
def test_a_kind_is_never_a_path_to_code(name: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.json"
    file.write_text(json.dumps({**SPEC, "prior": {"kind": name}}))
    with pytest.raises(SpecError, match="no installed plugin provides prior"):
        load(str(file), first_party())


def test_torchvision_s_pickled_sets_are_unpickled_only_if_they_are_the_published_ones(tmp_path: Path) -> None:
    folder, mark = tmp_path / "cifar-10-batches-py", tmp_path / "mark"
    folder.mkdir()
    harmful = b"cos\nsystem\n(S'touch %s'\ntR." % str(mark).encode()
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(harmful)
    with pytest.raises(DataError, match="is incomplete or damaged"):
        torchvision_images("CIFAR10", str(tmp_path))
    assert not mark.exists()
