"""Numbers that some seeds or evaluations withheld: never in a mean, never hidden, never a mean by themselves."""

import json
import math
import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from allmodes.builtin.config.metrics import ClassCoverageConfig, ModesConfig, WassersteinConfig
from allmodes.builtin.config.mixtures import GridConfig, RingConfig
from allmodes.cli.tables import measures_table, results_table
from allmodes.data import Data, TensorData
from allmodes.experiments import logs
from allmodes.experiments.collapse import CollapseDetector
from allmodes.experiments.evaluate import recent_means
from allmodes.experiments.progress import bar_fields
from allmodes.experiments.results import Results
from allmodes.experiments.seed_run import SeedRun
from allmodes.metrics import Modes
from allmodes.models.card import Card
from allmodes.registry.registry import installed
from allmodes.runs import averages
from allmodes.runs.journal import Journal, numbers, read
from allmodes.runs.results import load_results
from allmodes.runs.run import Outcome, Run
from allmodes.specs import loading
from allmodes.studies import tables
from allmodes.studies.comparison import Group, Row
from allmodes.studies.latex import tabular
from allmodes.studies.sheets import make_sheet
from allmodes.system.durable import write_json
from allmodes.tracking import summary
from allmodes_schemas import Key, MetricConfig, Spec
from tiny import SPEC

NONE = math.nan


def spec_of(changes: dict[str, Any]) -> Spec:
    return loading.parse({**SPEC, **changes}, installed())


def results(values: Sequence[float], folder: Path = Path()) -> Results:
    each = {seed: {"modes": 8.0, "kl": kl, "recent_kl": kl} for seed, kl in enumerate(values)}
    outcomes = {seed: Outcome("finished", 10, 1.0, numbers, {"kl": NONE}) for seed, numbers in each.items()}
    return Results(spec_of({}), folder, outcomes)


def row(values: Sequence[float]) -> Row:
    outcomes = results(values).outcomes
    return Row("plain", outcomes, dict.fromkeys(outcomes, "finished"))


def printed(table: Any) -> str:
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


# Means


@pytest.mark.parametrize(
    ("values", "mean", "error", "note"),
    [
        ([1.0, 2.0, 3.0], 2.0, 1 / math.sqrt(3), ""),
        ([1.0, NONE, 3.0], 2.0, 1.0, " (2 of 3)"),
        ([NONE, NONE, 3.0], 3.0, NONE, " (1 of 3)"),
        ([NONE, NONE, NONE], NONE, NONE, ""),
        ([], NONE, NONE, ""),
        ([1.0, math.inf, 3.0], math.inf, NONE, ""),
    ],
)
def test_a_mean_is_over_what_is_known_and_says_over_how_many(
    values: list[float], mean: float, error: float, note: str
) -> None:
    assert averages.mean(values) == pytest.approx(mean, nan_ok=True)
    assert averages.standard_error(values) == pytest.approx(error, nan_ok=True)
    assert averages.over(values, len(values)) == note


def test_a_mean_asked_for_in_python_warns_that_seeds_are_missing() -> None:
    said = "^kl: only 2 of 3 seeds have a number, which the mean is over; the others withheld it"
    for made in (results([1.0, NONE, 3.0]), row([1.0, NONE, 3.0])):
        with pytest.warns(UserWarning, match=said):
            assert made.mean("kl") == 2
        assert made.values("kl") == [1, 3]
        assert made.standard_error("kl") == 1


@pytest.mark.parametrize("values", [[1.0, 2.0], [NONE, NONE]])
def test_a_mean_over_all_seeds_or_over_none_says_nothing(values: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert results(values).mean("kl") == pytest.approx(averages.mean(values), nan_ok=True)


def test_an_average_over_the_end_is_withheld_with_any_of_its_numbers() -> None:
    history = [(8, {"modes": 7.0, "kl": NONE}), (10, {"modes": 8.0, "kl": 1.0})]
    assert recent_means(history, 10) == pytest.approx({"modes": 7.5, "kl": NONE}, nan_ok=True)


# Tables


@pytest.mark.parametrize(
    ("metric", "value", "cell"),
    [
        ("high_quality", 0.9889, "98.89 %"),
        ("high_quality_points", 98.8, "98.8"),
        ("share_2", 0.125, "12.5 %"),
        ("coverage_items", 0.97, "97 %"),
        ("density_items", 1.02, "1.02"),
        ("kl", 0.01, "0.01"),
    ],
)
def test_shares_alone_are_bar_fields_as_per_cent(metric: str, value: float, cell: str) -> None:
    kinds = ["modes", {"kind": "share", "label": 2}, "density_coverage"]
    declared = spec_of({"evaluation": {"metrics": kinds}}).evaluation.numbers()
    row = Row("plain", {0: Outcome("finished", 1, 1.0, {metric: value})}, {0: "finished"})
    assert make_sheet(Group("ring", (row,), declared), ()).lines[1].texts == ["plain", "1", cell]


def test_tables_leave_out_numbers_that_describe_the_measurement_alone() -> None:
    row = Row("plain", {0: Outcome("finished", 1, 1.0, {"modes": 8.0, "high_quality_radius": 3.0})}, {0: "finished"})
    group = Group("ring", (row,), spec_of({}).evaluation.numbers())
    assert make_sheet(group, ()).header == ["method", "seeds", "modes ↑"]
    assert [line[2:] for line in tables._seed_rows(row)][:2] == [("modes", 8.0), ("high_quality_radius", 3.0)]


def test_the_table_of_results_shows_dashes_and_over_how_many_seeds_a_mean_is() -> None:
    table = results_table(results([1.0, NONE, 3.0]))
    assert cells(table, "kl") == ["kl", "2 (2 of 3)", "1", "2 (2 of 3)", "-", "1", "-", "3"]
    assert "-: withheld, too little to measure (docs/metrics.md)" in printed(table).splitlines()[-1]
    assert "withheld" not in printed(results_table(results([1.0, 2.0])))


def cells(table: Any, metric: str) -> list[str]:
    (line,) = [line for line in printed(table).splitlines() if re.search(rf"\b{metric}\b", line)]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_floors_of_a_killed_run_are_empty_and_not_withheld() -> None:
    killed = Results(spec_of({}), Path(), {0: Outcome("killed", 5, 1.0, {"modes": 7.0})})
    assert cells(results_table(killed), "modes")[4:] == ["", "7"]
    assert "withheld" not in printed(results_table(killed))
    group = Group("ring", (Row("plain", killed.outcomes, {0: "killed"}),))
    assert [line.texts for line in make_sheet(group, ("seconds",)).lines] == [
        ["real data", "", "", ""],
        ["plain", "0 of 1", "", ""],
    ]


def test_the_table_of_results_lists_the_iterations_of_seeds_that_differ() -> None:
    outcomes = {seed: Outcome("finished", n, 1.0, {"modes": 7.0}) for seed, n in enumerate((1000, 2000))}
    caption = "means are over seeds at different iterations: 1,000 (seed 0), 2,000 (seed 1)"
    assert caption in " ".join(printed(results_table(Results(spec_of({}), Path(), outcomes))).split())
    assert "iterations" not in printed(results_table(results([1.0, 2.0])))


def test_the_table_of_an_evaluation_says_what_a_dash_means() -> None:
    assert "-: withheld" in printed(measures_table("run", {0: {"kl": NONE}}, {}))
    assert "withheld" not in printed(measures_table("run", {0: {"kl": 1.0}}, {}))


def test_the_tables_of_a_comparison_say_over_how_many_seeds_a_mean_is() -> None:
    group = Group("ring", (row([1.0, NONE, 3.0]), row([NONE, NONE, NONE])))
    _, some, none = (line.texts for line in make_sheet(group, ()).lines)
    assert some == ["plain", "3", "8 ± 0", "2.0 ± 1.0 (2 of 3)"]
    assert none == ["plain", "3", "8 ± 0", "-"]
    assert "2.0 $\\pm$ 1.0 (2 of 3)" in tabular(make_sheet(group))
    assert [line[3] for line in tables._seed_rows(row([1.0, NONE])) if line[2] == "kl"] == [1.0, ""]


def test_the_bar_shows_no_number_that_is_none() -> None:
    numbers = {"stacked_modes": Key(counts=True, label="modes")}
    assert "modes" not in bar_fields({"eval/stacked_modes": NONE}, numbers)
    assert bar_fields({"eval/stacked_modes": 3.0}, numbers)["modes"] == "3 modes"


def test_the_card_of_an_export_shows_dashes() -> None:
    card = Card(spec_of({}), (2,), None, 10, {}, {"kl": NONE}, {"real data": {"kl": NONE}})
    assert "\n| kl | - | - |\n" in card.text()
    assert "\nNothing was measured.\n" in replace(card, measured={}).text()


# On disk


def test_json_holds_null_and_never_nan(tmp_path: Path) -> None:
    def refuse(word: str) -> float:
        raise AssertionError(word)

    results([1.0, NONE], tmp_path).write()
    Journal(tmp_path / "metrics.jsonl", pytest.fail).write(3, {"eval/kl": NONE, "train/d/gan": math.inf, "a": 1.0})
    write_json(tmp_path / "page.json", {"a": [1.0, -math.inf, {"b": NONE}]})
    stored = json.loads((tmp_path / "results.json").read_text(), parse_constant=refuse)
    assert stored["1"]["results"] == {"modes": 8, "kl": None, "recent_kl": None}
    line = json.loads((tmp_path / "metrics.jsonl").read_text(), parse_constant=refuse)
    assert line.pop("time") > 0
    assert line == {"iteration": 3, "eval/kl": None, "train/d/gan": None, "a": 1}
    assert json.loads((tmp_path / "page.json").read_text(), parse_constant=refuse) == {"a": [1, None, {"b": None}]}
    assert math.isnan(load_results(tmp_path)[1].results["kl"])
    assert math.isnan(numbers(read(tmp_path / "metrics.jsonl")[0])["eval/kl"])


def test_pages_that_were_written_with_nan_are_read(tmp_path: Path) -> None:
    page = {"status": "finished", "iteration": 1, "seconds": 1.0, "results": {"kl": NONE}, "floors": {"kl": NONE}}
    (tmp_path / "results.json").write_text(json.dumps({"0": page}))
    assert math.isnan(load_results(tmp_path)[0].results["kl"])


# MLflow


def test_mlflow_gets_the_mean_of_the_seeds_that_have_a_number_and_their_count() -> None:
    seeds = [{"kl": 1.0, "modes": 8.0}, {"kl": NONE, "modes": 8.0}, {"kl": 3.0, "modes": 8.0}]
    assert summary.over_seeds(seeds) == {"kl": 2, "kl_se": 1, "kl_seeds": 2, "modes": 8, "modes_se": 0}
    assert summary.over_seeds([{"modes": 8.0}, {"modes": 8.0, "kl": 3.0}]) == {
        "modes": 8, "modes_se": 0, "kl": 3, "kl_seeds": 1
    }  # fmt: skip
    none = summary.over_seeds([{"kl": NONE}, {"kl": NONE}])
    assert none == pytest.approx({"kl": NONE, "kl_seeds": 0}, nan_ok=True)


def test_the_note_in_mlflow_says_over_how_many_seeds_a_mean_is() -> None:
    rows = summary.note("", {"kl": 2.0, "kl_se": 1.0, "kl_seeds": 2.0, "w": NONE, "floor/kl": NONE}).splitlines()
    assert rows[2:4] == ["| kl | 2.0 ± 1.0 (2 seeds) | - |", "| w | - |  |"]


# Held, and lost


def detector(metric: MetricConfig, data: Data) -> CollapseDetector:
    return CollapseDetector(metric.numbers(), [metric.build()], data)


def quality(modes: float, high_quality: float) -> dict[str, float]:
    return {"modes": modes, "high_quality": high_quality}


@pytest.mark.parametrize(
    ("data", "evaluations", "most"),
    [
        (RingConfig().build(), [], 0),
        (RingConfig().build(), [quality(3, 0.9)], 0),  # fewer than half
        (RingConfig().build(), [quality(4, 0.9), quality(3, 0.9)], 4),
        (RingConfig().build(), [quality(8, 0.005)], 0),  # points scattered over the box have 0.6 %
        (GridConfig().build(), [quality(22, 0.028)], 0),  # and 2.6 % on the grid
        (GridConfig().build(), [quality(22, 0.028), quality(14, 0.1)], 14),
        (RingConfig(weights=[1, 1, 0, 0, 0, 0, 0, 0]).build(), [quality(1, 0.9)], 1),  # half of the two that are there
        (TensorData(torch.zeros(4, 2)), [{"w1": 1.0}], 0),
    ],
)
def test_only_half_of_the_modes_above_chance_count_as_held(
    data: Data, evaluations: list[dict[str, float]], most: float
) -> None:
    metric = ModesConfig() if data.truth else WassersteinConfig()
    assert detector(metric, data).most_held(evaluations) == most


def test_half_of_the_classes_count_as_held() -> None:
    ten = TensorData(torch.zeros(4, 2), torch.zeros(4, dtype=torch.long), classes=10)
    assert detector(ClassCoverageConfig(), ten).most_held([{"classes": 4.0}]) == 0
    assert detector(ClassCoverageConfig(), ten).most_held([{"classes": 5.0}, {"classes": 3.0}]) == 5
    assert detector(ClassCoverageConfig(), ten).find([{"classes": 5.0}, {"classes": 2.0}]) == "2 of 5 classes are left"


def measuring(
    results: Sequence[dict[str, float]], spec: Spec, folder: Path, patch: pytest.MonkeyPatch, heard: list[str]
) -> SeedRun:
    """A run at iteration 10 whose evaluations give these numbers."""
    found = iter(results)
    patch.setattr("allmodes.metrics.measure.measure", lambda metrics, evaluation, warn: next(found))
    run = Run(spec, 3, folder, "x", 0, 1, "cpu")
    seed_run = SeedRun(run, RingConfig().build(), {"modes": Modes()}, installed(), heard.append)
    seed_run.lane.iteration = 10
    return seed_run


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([(7, 0.005), (2, 0.004)], []),  # what a run begins with is not lost
        ([(3, 0.9), (1, 0.9)], []),
        ([(8, 0.5), (4, 0.5), (3, 0.5)], ["4 of 8"]),
        ([(8, 0.5), (2, 0.5), (8, 0.5), (1, 0.5)], ["2 of 8", "1 of 8"]),
    ],
)
def test_a_run_warns_of_the_loss_of_what_it_held_alone(
    found: list[tuple[int, float]], said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = list[str]()
    seed_run = measuring([quality(*numbers) for numbers in found], spec_of({}), tmp_path, monkeypatch, heard)
    for iteration, _ in enumerate(found, 10):
        seed_run.lane.iteration = iteration
        seed_run.evaluate()
    assert [line.rpartition(" ")[0] for line in heard] == [
        f"tiny/seed-3: collapse: {what} modes are left at iteration" for what in said
    ]


def test_the_best_checkpoint_is_never_one_whose_number_was_withheld(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of({"training": {"checkpoints": {"best": "kl"}}})
    numbers = [{"kl": kl} for kl in (NONE, 0.5, NONE, 0.6, 0.1)]
    seed_run = measuring(numbers, spec, tmp_path, monkeypatch, [])
    found = []
    for iteration, _ in enumerate(numbers, 10):
        seed_run.lane.iteration = iteration
        found.append(seed_run.evaluator.evaluate().is_best)
    assert found == [False, True, False, False, True]


def test_a_log_line_has_a_dash_for_what_is_withheld(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(spec_of({}), 0, Path("x"), "x", 0, 1, "cpu")
    monkeypatch.setattr(logs.LOGGER, "propagate", True)
    with caplog.at_level("INFO", "allmodes"):
        logs.LogObserver().allmodes_metrics_logged(run, 3, {"eval/modes": 2.0, "eval/kl": NONE})
    assert caplog.messages == ["tiny/seed-0 3/20  modes 2  kl -"]
