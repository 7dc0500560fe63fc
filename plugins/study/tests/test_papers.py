"""The page of the papers' experiments: what it reads, what it leaves empty, and that its recipes exist."""

from pathlib import Path

import pytest

from allmodes import installed
from allmodes.testing import load_spec
from allmodes_study.papers import average, measure_beside, page, read, section
from allmodes_study.published import EXPERIMENTS, PaperExperiment

CSV = """data,method,seed,status,metric,value
ring,real data,,,modes,8
ring,gan-ring,0,finished,modes,6
ring,gan-ring,1,finished,modes,8
ring,gan-ring,1,finished,cpu_seconds,12.5
ring,gan-ring,0,finished,cpu_seconds,11.5
ring,gan-ring,2,failed,modes,1
ring,gan-ring,3,missing,,
"""
EXPERIMENT = PaperExperiment("A ring", ("gan/ring",), ("modes", "kl"), "Smaller.", seeds=2)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_has_recipes_that_exist_and_published_numbers_of_its_keys(name: str) -> None:
    experiment = EXPERIMENTS[name]
    assert set(experiment.recipes) <= set(installed().recipes)
    assert {key for row in experiment.published for key in row.numbers} <= set(experiment.keys)
    metrics = [metric for recipe in experiment.recipes for metric in load_spec(recipe).evaluation.metrics]
    assert set(experiment.keys) <= {key for metric in metrics for key in metric.numbers()}


def test_rows_are_means_over_finished_seeds_after_those_of_real_data(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(CSV)
    rows = section(EXPERIMENT, tmp_path).splitlines()[-2:]
    assert rows == ["| real data |  | 8 |  |  |", "| **gan-ring** | 2 | 7 ± 1 (6, 8) |  | 12 |"]


def test_rows_that_were_measured_without_training_stand_beside_those_of_methods(tmp_path: Path) -> None:
    (tmp_path / "beside.csv").write_text(
        "method,seed,status,metric,value\n"
        "real data,,,modes,7\ncopy of the training set,,,modes,6\ncopy of the training set,,,kl,\nbootstrap,,,w1,1\n"
    )
    rows = section(EXPERIMENT, tmp_path).splitlines()[-2:]
    assert rows == ["| real data |  | 7 |  |  |", "| copy of the training set |  | 6 |  |  |"]
    (tmp_path / "table.csv").write_text(CSV)
    rows = section(EXPERIMENT, tmp_path).splitlines()[-3:]
    assert [row.split(" | ")[0] for row in rows] == ["| real data", "| copy of the training set", "| **gan-ring**"]
    assert rows[0] == "| real data |  | 8 |  |  |"


def test_references_are_measured_and_nothing_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = EXPERIMENT._replace(changes=("evaluation.samples=200", "evaluation.references=[copy]"))
    monkeypatch.setitem(EXPERIMENTS, "ring", ring)  # type: ignore[arg-type]
    measure_beside("ring", tmp_path, ())
    assert [file.name for file in (tmp_path / "ring").iterdir()] == ["beside.csv"]
    found = read(tmp_path / "ring" / "beside.csv")
    assert list(found) == ["copy of the training set"]
    assert found["copy of the training set"][""]["modes"] == 8


def test_what_was_not_run_is_said_to_be_so(tmp_path: Path) -> None:
    assert "**Not run.**" in section(EXPERIMENT, tmp_path)
    assert page(tmp_path).count("**Not run.**") == len(EXPERIMENTS)
    assert read(tmp_path / "table.csv") == {}


def test_one_value_has_no_error() -> None:
    assert (average([]), average([0.25]), average([1.0, 3.0])) == ("", "0.25", "2 ± 1 (1, 3)")
