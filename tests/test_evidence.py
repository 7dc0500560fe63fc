"""Evidence of methods: the nearest data, the order of methods, and what `allmodes suggest` says of them."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from allmodes import CopyConfig, Plugin, Registry, SpecError, hookimpl, installed
from allmodes.cli import main as cli_main
from allmodes.studies.evidence import Evidence, Number, Result, Source, Traits, Tried, read_all, traits_of
from allmodes.studies.suggest import page, suggest

KEYS = ("w1", "modes", "variance_ratio")
BUDGETS = {"images": "1,000 images", "cpu": "1 s"}


def result(
    method: str, w1: tuple[float, float, float], data: str = "plane", budget: str = "images", **more: Any
) -> Result:
    numbers = {"w1": Number(mean=w1[0], low=w1[1], high=w1[2]), "modes": Number(mean=8.0)}
    costs = {"images": 1000.0, "cpu_seconds": 1.0}
    return Result(data=data, budget=budget, method=method, seeds=10, of=10, costs=costs, numbers=numbers, **more)


def evidence(*results: Result) -> Evidence:
    plane = Tried(
        description="8 Gaussians",
        block={"kind": "ring"},
        traits=Traits(dims=2, modes=8, weight_ratio=1, images=False),
        real={"w1": 0.05},
        references={CopyConfig(items=500).row(): {"w1": 0.04}, "bootstrap": {"w1": 0.1, "modes": 8}},
    )
    deep = plane.model_copy(update={"traits": Traits(dims=10, modes=16, images=False), "description": "16 in 10-D"})
    methods = {name: {"description": name} for name in ("gan", "near", "far", "last")}
    return Evidence.model_validate(
        {
            **{"title": "a study", "made": {"commit": "abc"}, "criterion": "w1", "baseline": "gan", "budgets": BUDGETS},
            **{"not_tried": ["images"], "methods": methods, "data": {"plane": plane, "deep": deep}, "results": results},
        }
    )


RESULTS = (
    result("far", (0.9, 0.8, 1.0)),
    result("near", (0.2, 0.15, 0.25)),
    result("gan", (0.5, 0.4, 0.6)),
    result("last", (2.0, 0.2, 3.0)),
    result("far", (0.01, 0.01, 0.01), budget="cpu"),
)


def test_differences_are_ratios_of_what_both_know() -> None:
    one, other = Traits(dims=10, modes=4, curved=True), Traits(dims=2, modes=8, curved=False, items=5)
    assert one.differences(other) == {"dims": 5, "modes": 2, "curved": float("inf")}


@pytest.mark.parametrize(
    ("traits", "nearest"),
    [
        (Traits(dims=2, modes=16), "plane"),  # 1 times and 2 times; 5 times and 1 times
        (Traits(dims=8, modes=8), "deep"),  # 4 times and 1 times; 1.25 times and 2 times
        (Traits(), "plane"),  # the first
    ],
)
def test_the_nearest_data_have_the_smallest_product_of_ratios(traits: Traits, nearest: str) -> None:
    assert evidence().nearest(traits)[0] == nearest


def test_methods_are_ordered_by_the_criterion_within_data_and_budget() -> None:
    ranking = evidence(*RESULTS).ranking("plane", "images")
    assert [one.method for one in ranking] == ["near", "gan", "far", "last"]


def test_methods_whose_modes_are_too_narrow_or_too_wide_come_last() -> None:
    ratios = {"far": 0.3, "gan": 0.9, "near": 1.4, "last": None}  # w1 rises in this order
    results = [result(method, (w1, w1, w1)) for w1, method in enumerate(ratios, 1)]
    for place, (one, ratio) in enumerate(zip(results, ratios.values(), strict=True)):
        if ratio is not None:
            numbers = {**one.numbers, "variance_ratio": Number(mean=ratio)}
            results[place] = one.model_copy(update={"numbers": numbers})
    found = evidence(*results)
    plane = found.data["plane"].model_copy(update={"real": {"w1": 0.05, "variance_ratio": 0.95}})
    found = found.model_copy(update={"data": {**found.data, "plane": plane}})
    assert [one.method for one in found.ranking("plane", "images")] == ["gan", "far", "near", "last"]
    said = list(suggest(Source("acme/study", found), Traits(dims=2)))
    marked = [line for line in said if "**its modes have not the widths of the data's**" in line]
    assert [line.split(":")[0] for line in marked] == ["  2. far", "  3. near"]


def test_methods_that_lose_modes_come_after_those_that_do_not_and_before_those_that_lack_their_widths_too() -> None:
    numbers = {"far": (7.9, 0.3), "near": (7.9, 0.9), "gan": (8.0, 0.9), "last": (8.0, 0.3)}  # w1 rises in this order
    results = [
        result(method, (w1, w1, w1)).model_copy(
            update={"numbers": {name: Number(mean=mean) for name, mean in zip(KEYS, (w1, *pair), strict=True)}}
        )
        for w1, (method, pair) in enumerate(numbers.items(), 1)
    ]
    found = evidence(*results)
    plane = found.data["plane"].model_copy(update={"real": {"w1": 0.05, "modes": 8.0, "variance_ratio": 0.95}})
    found = found.model_copy(update={"data": {**found.data, "plane": plane}})
    assert [one.method for one in found.ranking("plane", "images")] == ["gan", "near", "last", "far"]
    said = list(suggest(Source("acme/study", found), Traits(dims=2)))
    assert "  2. near: w1 2, modes 7.9, variance_ratio 0.9; **it has not every mode**" in said


def test_methods_that_took_more_than_a_budget_are_named_and_not_ordered() -> None:
    slow = result("near", (0.2, 0.15, 0.25), budget="cpu").model_copy(update={"costs": {"cpu_seconds": 1.3}})
    found = evidence(slow, result("far", (0.3, 0.3, 0.3), budget="cpu"))
    found = found.model_copy(update={"limits": {"cpu": {"cpu_seconds": 1.0}}})
    assert [one.method for one in found.ranking("plane", "cpu")] == ["far"]
    said = list(suggest(Source("acme/study", found), Traits(dims=2)))
    assert "  took more cpu seconds than that, so not ordered here: near (1.3)" in said
    within = found.model_copy(update={"limits": {"cpu": {"cpu_seconds": 1.1}}})
    assert [one.method for one in within.ranking("plane", "cpu")] == ["near", "far"]


def test_the_best_method_that_is_told_nothing_is_named_where_it_is_not_among_the_best() -> None:
    found = evidence(*RESULTS)
    told = {name: one.model_copy(update={"told": "all"}) for name, one in found.methods.items() if name != "last"}
    found = found.model_copy(update={"methods": {**found.methods, **told}})
    said = [line for line in suggest(Source("acme/study", found), Traits(dims=2)) if "told nothing" in line]
    assert said == ["     the best that is told nothing: last: w1 2 (0.2 to 3), modes 8"]


def lines(*results: Result, **traits: Any) -> list[str]:
    return list(suggest(Source("acme/study", evidence(*results)), Traits(**traits)))


def test_a_suggestion_names_data_methods_references_and_what_was_not_tried() -> None:
    assert lines(*RESULTS, dims=2, modes=50) == [
        "acme/study: a study",
        "nearest data that were tried: plane, 8 Gaussians",
        "  but 50 modes, not 8: this says little about them",
        "  real data: w1 0.05",
        "  without a game, copy of the training set items=500: w1 0.04",
        "  without a game, bootstrap: w1 0.1, modes 8",
        "at 1,000 images:",
        "  1. near: w1 0.2 (0.15 to 0.25), modes 8",
        "  2. gan: w1 0.5 (0.4 to 0.6), modes 8",
        "  3. far: w1 0.9 (0.8 to 1), modes 8",
        "     their intervals of w1 meet that of the best, too: last",
        "  no method reaches bootstrap (w1 0.1, without an interval), which needs no training",
        "at 1 s:",
        "  1. far: w1 0.01 (0.01 to 0.01), modes 8",
        "  far is better than bootstrap (w1 0.1, without an interval), the best sampler without a game that is no copy",
        "not tried: images",
        "made by: commit abc",
    ]


def test_images_are_told_that_nothing_near_was_tried() -> None:
    assert "  but yours are images: this says little about them" in lines(*RESULTS, dims=784, images=True)


def test_a_method_that_meets_a_reference_is_said_to() -> None:
    found = lines(result("near", (0.1, 0.05, 0.2)), dims=2)
    assert "  near cannot be told from bootstrap (w1 0.1, without an interval), which needs no training" in found


def test_missing_seeds_and_what_a_method_is_told_are_said() -> None:
    partly = result("near", (0.2, 0.1, 0.3)).model_copy(update={"seeds": 8})
    assert any(line.endswith("modes 8; 8 of 10 seeds finished") for line in lines(partly, dims=2))


def test_methods_that_failed_in_all_seeds_are_listed() -> None:
    no_number = {"numbers": {"modes": Number(mean=8.0)}}
    dead = result("far", (0, 0, 0)).model_copy(update={"seeds": 0, "of": 3, "numbers": {}})
    silent = result("gan", (0, 0, 0)).model_copy(update={"seeds": 2, "of": 3, **no_number})
    alone = result("last", (0, 0, 0), budget="cpu").model_copy(update={"seeds": 0, "numbers": {}})
    found = lines(result("near", (0.2, 0.15, 0.25)), dead, silent, alone, dims=2)
    begin = found.index("at 1,000 images:")
    assert found[begin:-2] == [
        "at 1,000 images:",
        "  1. near: w1 0.2 (0.15 to 0.25), modes 8",
        "  no method reaches bootstrap (w1 0.1, without an interval), which needs no training",
        "  failed in all seeds: far (3 seeds)",
        "  without w1 in any seed that finished: gan (2 of 3 seeds finished)",
        "at 1 s:",
        "  failed in all seeds: last (10 seeds)",
    ]
    text = page([Source("acme/study", evidence(dead))])
    assert "\nAt 1,000 images:\n\n- failed in all seeds: far (3 seeds)\n" in text


def test_the_page_has_a_section_for_all_data() -> None:
    text = page([Source("acme/study", evidence(*RESULTS))])
    assert "### plane: 8 Gaussians\n\n- real data: w1 0.05\n" in text
    assert "\nAt 1,000 images:\n\n- 1. near: w1 0.2 (0.15 to 0.25), modes 8\n" in text
    assert "### deep: 16 in 10-D\n" in text
    assert "| plane | near: 0.2 (0.15 to 0.25) | far: 0.01 (0.01 to 0.01) | bootstrap: 0.1 |\n" in text


def test_the_page_of_choices_in_the_docs_is_what_the_evidence_says() -> None:
    written = (Path(__file__).parents[1] / "docs" / "choose.md").read_text("utf-8")
    assert written == page(read_all(installed()))


def with_evidence(folder: Path) -> Registry:
    registry, plugin = Registry(), ModuleType("acme")
    returned: Callable[[], Path] = lambda: folder  # noqa: E731
    plugin.allmodes_evidence = hookimpl(returned)  # type: ignore[attr-defined]
    registry.register(plugin, Plugin("acme", "allmodes-acme", "1.0"))
    return registry


def test_pages_are_read_from_the_folders_of_plugins(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(evidence(*RESULTS).model_dump_json())
    assert read_all(with_evidence(tmp_path)) == [Source("acme/study", evidence(*RESULTS))]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {}, "results": ()}, "there are no data"),
        ({"data": {"deep": {"description": "", "block": {}, "traits": {}}}}, "a result names the data 'plane'"),
        ({"methods": {}}, "a result names the method 'far'"),
        ({"budgets": {}}, "a result names the budget 'images'"),
    ],
)
def test_a_page_describes_all_that_its_results_name(change: dict[str, Any], message: str) -> None:
    values = evidence(*RESULTS).model_dump()
    with pytest.raises(ValueError, match=message):
        Evidence.model_validate(values | change)


def test_no_evidence_and_a_damaged_page_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as none:
        read_all(Registry())
    assert str(none.value) == (
        "no installed plugin has evidence of methods: install one that has, such as allmodes-study"
    )
    (tmp_path / "study.json").write_text(json.dumps({"title": "x"}))
    with pytest.raises(SpecError, match=r"it is evidence of an installed plugin: install that again$"):
        read_all(with_evidence(tmp_path))


@pytest.mark.parametrize(
    ("reference", "traits"),
    [
        ("ring", {"dims": 2, "modes": 8, "weight_ratio": 1.0, "images": False}),
        ("gan/grid", {"dims": 2, "modes": 25, "weight_ratio": 1.0, "images": False}),
        ("digits", {"dims": 64, "modes": 10, "images": True}),
    ],
)
def test_traits_are_those_of_a_kind_a_recipe_or_a_spec(reference: str, traits: dict[str, Any]) -> None:
    assert traits_of(reference, installed()).model_dump(exclude_none=True) == traits


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "suggest: say what your data are: a spec, a recipe or a kind such as ring, or --dims, or ask for --all"),
        (("--modes", "0"), "suggest: --modes 0: give a number of at least 1"),
        (("csv",), "csv: this kind of data needs options: give a spec that has them"),
        (("nosuch",), "nosuch: neither a file, a run's folder nor a recipe: `allmodes recipes` lists them"),
    ],
)
def test_what_cannot_be_suggested_for_is_one_line(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_main.execute(["suggest", *arguments]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
