"""Frames, curves and descriptions of results: equal to the files of the runs; HTML escapes names of strangers."""

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from allmodes import Comparison, Results, SpecError, compare
from allmodes.studies.comparison import COSTS
from markup import Page
from one_process import in_one_process
from tiny import SPEC

TRAINING = {**SPEC["training"], "threads": 1}
METHODS: dict[str, dict[str, Any]] = {
    "plain": {"training": TRAINING},
    "broken": {"training": {**TRAINING, "optimizer": {"kind": "sgd", "lr": 1e30}}},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Two methods with two seeds each, one of which diverges."""
    place = tmp_path_factory.mktemp("frames")
    for name, changes in METHODS.items():
        (place / f"{name}.json").write_text(json.dumps({**SPEC, "name": name, "seeds": [0, 1], **changes}))
    files = [str(place / f"{name}.json") for name in METHODS]
    with in_one_process():
        return compare(files, folder=place / "study", track=False, figures=False)


@pytest.fixture
def plain(study: Comparison) -> Results:
    return Results.load(study.folder / "plain")


def logged(folder: Path) -> Iterator[tuple[int, str, float]]:
    """Every number of a run's log, in order."""
    for line in map(json.loads, (folder / "metrics.jsonl").read_text().splitlines()):
        for name, value in line.items():
            if "event" not in line and name not in ("iteration", "time"):
                yield line["iteration"], name.removeprefix("eval/"), math.nan if value is None else value


def test_a_frame_of_results_has_the_numbers_of_the_page_of_each_seed(plain: Results) -> None:
    frame = plain.to_frame()
    assert list(frame.index) == [0, 1]
    assert list(frame.columns[:3]) == ["status", "iteration", "modes"]
    for seed, row in frame.iterrows():
        page = json.loads((plain.folder / f"seed-{seed}" / "results.json").read_text())
        assert {name: row[name] for name in ("status", "iteration", "seconds")}.items() <= page.items()
        for name, value in page["results"].items():
            assert math.isnan(row[name]) if value is None else row[name] == value
        assert set(frame.columns) == {"status", "iteration", "seconds", *page["results"]}
    assert frame["modes"].mean() == plain.mean("modes")


def test_floors_and_references_stand_above_the_seeds_where_they_are_asked_for(plain: Results) -> None:
    frame = plain.to_frame(beside=True)
    assert list(frame.index) == ["real data", *plain.references, 0, 1]
    assert frame.loc["real data", "modes"] == plain.floors["modes"]
    assert [frame.loc[title, "modes"] for title in plain.references] == [
        numbers["modes"] for numbers in plain.references.values()
    ]


def test_the_history_has_every_number_of_the_logs(plain: Results) -> None:
    history = plain.history()
    assert list(history.columns) == ["seed", "iteration", "metric", "value"]
    expected = pd.DataFrame(
        [(seed, *line) for seed in (0, 1) for line in logged(plain.folder / f"seed-{seed}")], columns=history.columns
    )
    pd.testing.assert_frame_equal(history, expected)
    assert {"modes", "train/generator/non_saturating", "time/seconds"} <= set(history["metric"])


def test_a_frame_of_a_comparison_has_the_numbers_of_its_table(study: Comparison) -> None:
    frame = study.to_frame(beside=True)
    with (study.folder / "table.csv").open() as file:
        lines = list(csv.DictReader(file))
    cells = {(line["method"], line["seed"]): 0 for line in lines}
    assert [(method, "" if pd.isna(seed) else str(seed)) for method, seed in frame.index] == list(cells)
    for line in lines:
        key = (line["method"], int(line["seed"])) if line["seed"] else (line["method"], pd.NA)
        row = study.to_frame().loc[key] if line["seed"] else frame[frame.index.get_level_values(0) == key[0]].iloc[0]
        assert row["data"] == line["data"]
        assert not line["status"] or row["status"] == line["status"]
        value = float(line["value"]) if line["value"] else math.nan
        assert not line["metric"] or row[line["metric"]] == pytest.approx(value, nan_ok=True, rel=1e-15)
    assert set(study.to_frame().loc["broken", "status"]) == {"failed"}
    assert set(COSTS) < set(frame.columns)


def test_settings_that_vary_are_columns_and_labels_name_curves(study: Comparison) -> None:
    settings = {"training.batch_size": 8, "generator.hidden": [8, 8]}
    entries = tuple(replace(one, varied=settings if one.name == "plain" else {}) for one in study.study.entries)
    shown = replace(study.study.shown, labels={"plain": "Plain GAN"})
    changed = replace(study, study=replace(study.study, entries=entries, shown=shown))
    frame = changed.to_frame()
    assert frame.loc[("plain", 0), "training.batch_size"] == 8
    assert frame.loc[("plain", 0), "generator.hidden"] == "[8, 8]"
    assert pd.isna(frame.loc[("broken", 0), "training.batch_size"])
    assert "Plain GAN, mean" in lines_of(changed.plot("modes"), "modes")


def test_the_history_of_a_comparison_is_that_of_its_methods(study: Comparison, plain: Results) -> None:
    history = study.history()
    assert list(history.columns) == ["data", "method", "seed", "iteration", "metric", "value"]
    of_plain = history[history["method"] == "plain"].drop(columns=["data", "method"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(of_plain, plain.history())


def test_without_pandas_the_message_says_what_to_install(plain: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("allmodes.runs.frames.import_module", missing)
    for ask in (plain.to_frame, plain.history):
        with pytest.raises(ModuleNotFoundError) as caught:
            ask()
        assert str(caught.value) == "frames need pandas, which is not installed here: pip install pandas"


def lines_of(figure: Figure, title: str) -> dict[str, tuple[list[float], list[float]]]:
    """The curves of a panel by label."""
    (axes,) = [axes for axes in figure.axes if axes.get_title() == title]
    return {str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}


def test_curves_are_those_of_the_logs_with_each_seed_their_mean_and_the_floor(plain: Results) -> None:
    figure = plain.plot()
    titles = [axes.get_title() for axes in figure.axes]
    losses = ["train/discriminator/non_saturating", "train/discriminator/r1", "train/generator/non_saturating"]
    assert titles == ["modes", "high_quality", "kl", *losses]
    lines = lines_of(figure, "modes")
    assert lines["2 seeds, mean"][0] == [10, 20]
    assert lines["2 seeds, mean"][1][-1] == plain.mean("modes")
    assert lines["real data"][1] == [plain.floors["modes"]] * 2
    each = lines_of(figure, losses[-1])
    first = [value for _, name, value in logged(plain.folder / "seed-0") if name == losses[-1]]
    assert first in [values for _, values in each.values()]
    assert len(each) == 3


def test_a_figure_has_the_metrics_that_are_asked_for_and_no_window(plain: Results, study: Comparison) -> None:
    assert [axes.get_title() for axes in plain.plot("variance_ratio", "modes").axes] == ["variance_ratio", "modes"]
    assert [axes.get_title() for axes in study.plot("modes").axes] == ["modes"]
    assert list(lines_of(study.plot("modes"), "modes"))[-2:] == ["plain, mean", "real data"]


def test_a_metric_that_was_not_measured_is_named_with_those_that_were(plain: Results) -> None:
    with pytest.raises(ValueError, match=r"mods was not measured \(did you mean 'modes'\?\): there are .*modes"):
        plain.plot("mods")


def test_results_are_read_from_a_folder_in_which_a_seed_has_ended(plain: Results, tmp_path: Path) -> None:
    assert plain.outcomes[1].results["modes"] == plain.values("modes")[1]
    assert Results.load(plain.folder / "seed-1").outcomes.keys() == {0, 1}
    with pytest.raises(SpecError, match="empty: no seed of an experiment has ended in this folder"):
        Results.load(tmp_path / "empty")


def test_a_comparison_shows_its_table_and_names_what_failed(study: Comparison) -> None:
    assert repr(study).startswith("Comparison(study: failed, 2 methods, 2 of 4 runs finished; in ")
    page = Page(study._repr_html_())
    assert page.texts.index("real data") < page.texts.index("plain")
    assert any(text.startswith("broken/seed-0: failed") for text in page.texts)
    assert page.texts[-1] == "The same call to compare() goes on with what is not finished."


def test_results_without_a_seed_that_ended_are_empty_frames_and_no_curve(plain: Results) -> None:
    empty = Results(plain.spec, plain.folder, {})
    assert (len(empty.to_frame()), len(empty.history())) == (0, 0)
    assert repr(empty).startswith("Results(plain: finished, 0 seeds; in ")
    Page(empty._repr_html_())
    with pytest.raises(ValueError, match="nothing to draw: nothing was measured yet"):
        empty.plot()
