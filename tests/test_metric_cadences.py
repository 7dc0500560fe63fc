"""Metrics that are measured less often than others: when, and what is made of the numbers that there are."""

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from allmodes import Experiment
from allmodes.experiments.collapse import CollapseDetector
from allmodes.experiments.evaluate import recent_means
from allmodes.models.checkpoints import find_checkpoint
from allmodes.registry.registry import installed
from allmodes.runs.run_folder import RunFolder
from allmodes.specs import loading
from allmodes.specs.changes import changes_between
from allmodes_schemas import Spec
from tiny import SPEC

BARE = {key: value for key, value in SPEC.items() if key not in ("training", "evaluation", "seeds")}


def spec_of(values: Mapping[str, Any]) -> Spec:
    return loading.parse({**SPEC, **values}, installed())


def evaluation_of(every: int, w1: int | None, iterations: int = 10) -> dict[str, Any]:
    metrics = ["modes", {"kind": "wasserstein", "samples": 20, "every": w1}]
    return {
        "training": {"iterations": iterations, "batch_size": 4},
        "evaluation": {"every": every, "samples": 20, "metrics": metrics, "figure": False},
    }


def train(tmp_path: Path, every: int, w1: int | None, iterations: int = 10, **more: Any) -> Any:
    values = BARE | evaluation_of(every, w1, iterations)
    values["training"] |= more
    return Experiment.from_spec(values, folder=tmp_path, track=False).run([0])


def lines_of(results: Any) -> dict[int, dict[str, float]]:
    lines = [json.loads(line) for line in (results.folder / "seed-0" / "metrics.jsonl").read_text().splitlines()]
    return {line["iteration"]: line for line in lines if any(key.startswith("eval/") for key in line)}


@pytest.mark.parametrize(
    ("every", "w1", "at"),
    [
        (2, None, [2, 4, 6, 8, 10]),
        (2, 4, [4, 8, 10]),
        (2, 100, [10]),
        (3, 4, [6, 9, 10]),  # the evaluations from 4 and from 8 on
        (4, 2, [4, 8, 10]),
    ],
)
@pytest.mark.filterwarnings("ignore:.*evaluation.metrics.1.every")
def test_a_metric_is_measured_at_the_first_evaluation_from_its_multiples_on_and_at_the_end(
    tmp_path: Path, every: int, w1: int | None, at: list[int]
) -> None:
    results = train(tmp_path, every, w1)
    lines = lines_of(results)
    assert sorted(lines) == sorted({*range(every, 11, every), 10})
    assert [iteration for iteration, line in lines.items() if "eval/w1" in line] == at
    assert all("eval/modes" in line for line in lines.values())


@pytest.mark.parametrize(
    ("every", "drawn", "at"), [(2, None, [2, 4, 6, 8, 10]), (2, 4, [4, 8, 10]), (2, 100, [10]), (3, 4, [6, 9, 10])]
)
def test_pictures_are_drawn_as_often_as_asked_for_and_at_the_end(
    tmp_path: Path, every: int, drawn: int | None, at: list[int]
) -> None:
    values = BARE | evaluation_of(every, None)
    values["evaluation"] |= {"figure": True, "figure_every": drawn}
    folder = Experiment.from_spec(values, folder=tmp_path, track=False).run([0]).folder / "seed-0" / "figures"
    assert [int(path.stem.removeprefix("samples-")) for path in sorted(folder.glob("samples-*.png"))] == at


def test_pictures_that_are_due_more_often_than_evaluations_are_warned_about() -> None:
    values = BARE | evaluation_of(4, None)
    values["evaluation"] |= {"figure": True, "figure_every": 3}
    said = "evaluation.figure_every: 3 is less than evaluation.every (4): pictures are drawn at each evaluation"
    with pytest.warns(UserWarning, match=re.escape(said)):
        Experiment.from_spec(values, track=False)


def test_the_numbers_at_the_end_are_those_of_a_run_that_measures_always(tmp_path: Path) -> None:
    often, rarely = (train(tmp_path / str(w1), 2, w1).outcomes[0].results for w1 in (None, 4))
    assert {key: value for key, value in often.items() if key != "recent_w1"} == pytest.approx(
        {key: value for key, value in rarely.items() if key != "recent_w1"}, nan_ok=True
    )


def test_averages_over_the_end_are_over_what_was_measured(tmp_path: Path) -> None:
    results = train(tmp_path, 1, 2)
    last = [line["eval/w1"] for at, line in lines_of(results).items() if at >= 7 and "eval/w1" in line]
    assert len(last) == 2
    assert results.outcomes[0].results["recent_w1"] == pytest.approx(sum(last) / 2)


def test_a_number_that_is_missing_where_it_was_due_has_no_average() -> None:
    history = [(7, {"kl": 1.0, "w1": 5.0}), (8, {"kl": 3.0}), (9, {"w1": 7.0}), (10, {"kl": 2.0, "w1": 9.0})]
    assert recent_means(history, 10, lambda key, at: key == "kl" or at % 2 == 1) == {"w1": 7.0}
    assert recent_means(history, 10) == {}


def test_the_best_checkpoint_is_one_whose_number_was_measured(tmp_path: Path) -> None:
    results = train(tmp_path, 2, 4, checkpoints={"best": "w1"})
    measured = {at: line["eval/w1"] for at, line in lines_of(results).items() if "eval/w1" in line}
    best = find_checkpoint(RunFolder(results.folder / "seed-0"), "best")
    assert int(best.name) == min(measured, key=lambda at: measured[at])


def test_a_collapse_is_neither_found_nor_forgotten_where_modes_are_not_measured() -> None:
    spec = spec_of({"data": {"kind": "ring"}, "evaluation": {"metrics": ["modes"]}})
    detector = CollapseDetector(
        spec.evaluation.numbers(), [one.build() for one in spec.evaluation.metrics], spec.data.build()
    )
    held, lost = {"modes": 8.0, "high_quality": 0.9}, {"modes": 2.0, "high_quality": 0.9}
    assert detector.find([held, {"w1": 1.0}]) == ""
    assert detector.find([held, {"w1": 1.0}, lost]) == "2 of 8 modes are left"


def test_modes_count_as_held_only_where_what_they_are_judged_by_was_measured() -> None:
    spec = spec_of({"data": {"kind": "ring"}, "evaluation": {"metrics": ["modes"]}})
    detector = CollapseDetector(
        spec.evaluation.numbers(), [one.build() for one in spec.evaluation.metrics], spec.data.build()
    )
    unknown, low = {"modes": 8.0}, {"modes": 2.0, "high_quality": 0.9}
    assert detector.find([unknown, {"modes": 3.0, "high_quality": 0.001}, low]) == ""


@pytest.mark.parametrize(
    ("every", "w1", "message"),
    [
        (4, 2, "2 is less than evaluation.every (4): wasserstein is measured at each evaluation"),
        (4, 11, ""),
        (4, 10, ""),
        (4, None, ""),
    ],
)
def test_a_cadence_that_is_not_what_it_seems_is_warned_about(every: int, w1: int | None, message: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spec_of(BARE | evaluation_of(every, w1))
    said = [str(one.message) for one in caught]
    expected = [f"spec: evaluation.metrics.1.every: {message}"] if message else []
    assert [text for text in said if "metrics.1" in text] == expected


def test_a_cadence_may_change_when_a_run_is_resumed() -> None:
    before, after = (spec_of(BARE | evaluation_of(2, w1)) for w1 in (2, 4))
    assert before != after
    assert changes_between(before, after) == []
