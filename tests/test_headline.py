"""The best methods of a study, whose numbers stand for it among other studies."""

import math
from types import SimpleNamespace
from typing import Any, cast

from allmodes.runs.run import Outcome
from allmodes.studies.comparison import Comparison, Group, Row
from allmodes.studies.headline import Headline, find_headline
from allmodes_schemas import Key

NUMBERS = {"radius": Key(constant=True), "share": Key(), "modes": Key("higher"), "w1": Key("lower")}


def row(method: str, missing: int = 0, **values: list[float]) -> Row:
    """A method with the values of its seeds by metric, and seeds that failed."""
    seeds = range(len(next(iter(values.values()), [])))
    outcomes = {seed: Outcome("finished", 1, 1.0, {name: one[seed] for name, one in values.items()}) for seed in seeds}
    states: Any = dict.fromkeys(seeds, "finished") | {100 + i: "failed" for i in range(missing)}
    return Row(method, outcomes, states)


def headline(*groups: Group) -> Headline:
    return find_headline(cast("Comparison", SimpleNamespace(groups=list(groups))))


def ring(*rows: Row, title: str = "ring (200 samples)") -> Group:
    return Group(title, rows, NUMBERS)


def test_the_first_metric_with_a_direction_decides_and_all_means_of_the_best_are_given() -> None:
    plain = row("plain", share=[0.5, 0.5], modes=[2.0, 4.0], w1=[0.1, 0.1], radius=[1, 1])
    wide = row("wide", share=[0.25, 0.75], modes=[6.0, 8.0], w1=[math.nan, 0.5], radius=[1, 1])
    assert headline(ring(plain, wide)) == Headline(
        {"best/share": 0.5, "best/share_se": 0.25, "best/modes": 7.0, "best/modes_se": 1.0, "best/w1": 0.5},
        "wide",
        "modes",
    )


def test_a_method_that_lacks_seeds_is_not_the_best_and_equal_ones_are_all_named() -> None:
    found = headline(ring(row("a", modes=[5.0]), row("lucky", 2, modes=[9.0]), row("b", modes=[5.0])))
    assert (found.method, found.numbers) == ("a, b", {"best/modes": 5.0})


def test_a_single_method_is_the_best_and_one_without_numbers_gives_none() -> None:
    assert headline(ring(row("only", modes=[5.0]), row("dead", 3))).method == "only"
    assert headline(ring(row("dead", 3))) == Headline()
    assert headline(ring(row("plain", share=[1.0]))) == Headline()  # no metric says what is good


def test_each_of_several_data_has_its_best() -> None:
    one, other = row("a", modes=[5.0]), row("b", w1=[0.25])
    found = headline(ring(one), ring(other, title="grid, side 3 (200 samples)"), ring(one, title="ring (99 samples)"))
    assert found == Headline(
        {"best/ring/modes": 5.0, "best/grid/w1": 0.25, "best/ring-2/modes": 5.0},
        "ring: a; grid: b; ring-2: a",
        "modes, w1",
    )
