"""Experiments, results, data and models in a line and as HTML, which escapes names of strangers and fits any theme."""

import math
from pathlib import Path

import pytest
import torch

from allmodes import Data, DigitsConfig, Experiment, Results, RingConfig, TensorData, load_run
from allmodes.runs.run import Outcome
from allmodes.specs import loading
from allmodes.text import curves, html
from markup import Page
from tiny import SPEC

HOSTILE = "<script>alert(1)</script>\"'&\u202e"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    evaluation = {**SPEC["evaluation"], "figure": True}
    spec = {**SPEC, "name": "plain", "seeds": [0, 1], "evaluation": evaluation}
    return Experiment.from_spec(spec, folder=tmp_path_factory.mktemp("shown"), track=False).run()


def test_lines_of_text_name_what_there_is(results: Results) -> None:
    assert repr(results).startswith("Results(plain: finished, 2 seeds; modes ")
    assert " (real data 8), high_quality " in repr(results)
    experiment = Experiment.from_spec(SPEC, folder="runs")
    assert repr(experiment) == "Experiment(tiny: ring, non_saturating + r1; 20 iterations, 1 seed; folders in runs)"


def test_the_html_of_results_has_the_numbers_beside_the_floors_and_the_picture(results: Results) -> None:
    page = Page(results._repr_html_())
    at = page.texts.index("high_quality")
    titles = page.texts[page.texts.index("metric") : page.texts.index("modes")]
    row = dict(zip(titles, page.texts[at : at + len(titles)], strict=True))
    assert row["mean"] == f"{results.mean('high_quality'):.4g}"
    assert row["real data"] == f"{results.floors['high_quality']:.4g}"
    assert row["seed 1"] == f"{results.outcomes[1].results['high_quality']:.4g}"
    assert page.tags.count("img") == 1


def test_texts_have_the_colour_of_the_page(results: Results) -> None:
    for shown in (results, Experiment.from_spec(SPEC), load_run(results.folder), RingConfig().build()):
        styles = [value or "" for name, value in Page(shown._repr_html_()).attributes if name == "style"]
        assert not any("color:" in style.replace("background-color:", "") or "background:" in style for style in styles)


def test_interrupted_results_say_how_to_go_on(results: Results) -> None:
    killed = Results(results.spec, Path("runs/plain").absolute(), {0: Outcome("killed", 7, 1.0)})
    texts = Page(killed._repr_html_()).texts
    assert "seed 0: killed at iteration 7" in texts
    assert texts[-1] == 'Experiment.resume("runs/plain").run()'


def test_what_came_from_python_is_named_where_one_goes_on() -> None:
    spec = {**SPEC, "evaluation": {"metrics": ["wasserstein"]}}
    given = Experiment.from_spec(spec, data=TensorData(torch.zeros(4, 2)))
    killed = Results(given.spec, Path("runs/plain").absolute(), {0: Outcome("killed", 7, 1.0)})
    assert Page(killed._repr_html_()).texts[-1] == 'Experiment.resume("runs/plain", data=...).run()'


def test_the_html_of_an_experiment_has_the_spec_that_it_would_write() -> None:
    experiment = Experiment.from_spec(SPEC)
    assert loading.dump(experiment.spec) in Page(experiment._repr_html_()).texts


def test_a_model_shows_what_it_scored_and_where_it_lies(results: Results, tmp_path: Path) -> None:
    model = load_run(results.folder)
    count = sum(parameter.numel() for module in model.modules.values() for parameter in module.parameters())
    facts = f"iteration 20, seed 0, items (2,), parameters {count}"
    assert repr(model) == f"Model(plain: {facts}; in {results.folder / 'seed-0'})"
    page = Page(model._repr_html_())
    at = page.texts.index("high_quality")
    score, floor = results.outcomes[0].results["high_quality"], results.floors["high_quality"]
    assert page.texts[at : at + 3] == ["high_quality", f"{score:.4g}", f"{floor:.4g}"]
    assert ("title", "samples-00000020.png") in page.attributes
    exported = Page(load_run(model.export(tmp_path / "exported"))._repr_html_())
    assert ("title", "samples.png") in exported.attributes


def test_data_show_what_they_are_and_a_few_items() -> None:
    ring = RingConfig().build()
    facts = f"drawn without end; vectors of 2 numbers; 8 classes; 8 known modes; fingerprint {ring.fingerprint}; on cpu"
    assert repr(ring) == f"FreshData({facts})"
    assert Page(ring._repr_html_()).tags.count("circle") == 300
    digits = DigitsConfig().build()
    assert repr(digits).startswith("TensorData(1,437 items to train on, 360 held out; grey images of 8 x 8 px; 10 cl")
    assert Page(digits._repr_html_()).tags.count("img") == 1
    five = TensorData(torch.zeros(40, 5))
    assert "vectors of 5 numbers" in Page(five._repr_html_()).texts


def test_data_of_a_stranger_that_lack_what_is_described_have_a_name() -> None:
    class Half(Data):
        pass

    assert repr(Half()) == "Half()"
    assert Page(Half()._repr_html_()).texts == ["Half"]


def test_to_show_data_takes_nothing_from_the_global_generator() -> None:
    ring, state = RingConfig().build(), torch.get_rng_state()
    ring._repr_html_()
    assert torch.equal(torch.get_rng_state(), state)


def test_names_of_strangers_are_escaped(results: Results) -> None:
    outcome = Outcome("failed", 3, 1.0, {HOSTILE: 1.0}, {HOSTILE: 2.0}, HOSTILE, references={HOSTILE: {HOSTILE: 3.0}})
    named = results.spec.model_copy(update={"name": HOSTILE, "description": HOSTILE})
    data = TensorData(torch.zeros(4, 2), torch.zeros(4).long(), class_names=(HOSTILE,))
    shown = [
        Results(named, Path(HOSTILE), {0: outcome})._repr_html_(),
        Experiment(named)._repr_html_(),
        data._repr_html_(),
        curves.draw(HOSTILE, {HOSTILE: [(0, 1), (1, 2)]}),
        curves.scatter(HOSTILE, [(0, 1), (1, 2)]),
        html.picture(html.PNG, HOSTILE),
        html.folded(HOSTILE, HOSTILE),
    ]
    for text in shown:
        page = Page(text)
        assert "script" not in page.tags
        assert "\u202e" not in text
        read = "".join([*page.texts, *(str(value) for _, value in page.attributes)])
        assert HOSTILE.replace("\u202e", "\\u202e") in read


def test_what_is_no_picture_is_not_shown() -> None:
    assert html.picture(b"GIF89a", "samples") == ""


def test_a_curve_that_has_grown_long_is_thinned_and_keeps_its_end() -> None:
    points = [(float(x), 0.0) for x in range(curves.MOST + 1)]
    curves.thin(points)
    assert len(points) == curves.MOST // 2 + 1
    assert points[-1] == (float(curves.MOST), 0.0)
    assert points[1][0] - points[0][0] == 2


def test_a_curve_has_its_points_in_the_field_and_none_without_two_finite_ones() -> None:
    page = Page(curves.draw("w1", {"seed 0": [(0, 1.0), (1, math.nan), (2, 3.0)]}))
    (points,) = [value for name, value in page.attributes if name == "points"]
    assert points == f"0.0,{curves.HEIGHT:.1f} {curves.WIDTH:.1f},0.0"
    assert curves.draw("kl", {"seed 0": [(1, math.nan), (2, 1.0)]}) == ""


def test_of_many_curves_the_legend_names_as_many_as_there_are_colours() -> None:
    page = Page(curves.draw("w1", {f"run {i}": [(0, 1), (1, 2)] for i in range(len(html.COLOURS) + 4)}))
    assert page.tags.count("polyline") == len(html.COLOURS) + 4
    assert sum("run " in text for text in page.texts) == len(html.COLOURS)
    assert any("and 4 more" in text for text in page.texts)
