"""The rules by which slow tests judge seeds."""

from collections.abc import Callable
from math import inf, nan
from pathlib import Path

import pytest

from allmodes import Results, installed
from allmodes.runs.run import Outcome
from allmodes.specs.loading import parse
from allmodes.testing import each_at_least, each_at_most, mean_at_least, mean_at_most
from tiny import SPEC

ROOT = Path(__file__).parents[1]
RULES = [mean_at_least, mean_at_most, each_at_least, each_at_most]
Rule = Callable[[Results, str, float], None]


def results_of(*values: float, statuses: tuple[str, ...] = ()) -> Results:
    known = statuses or ("finished",) * len(values)
    outcomes = {
        seed: Outcome(status, 10, 1.0, {"modes": value})  # type: ignore[arg-type]
        for seed, (value, status) in enumerate(zip(values, known, strict=True))
    }
    return Results(parse(SPEC, installed()), Path(), outcomes)


def held(rule: Rule, results: Results, claim: float) -> bool:
    try:
        rule(results, "modes", claim)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("rule", RULES)
def test_seeds_that_are_all_as_claimed_pass(rule: Rule) -> None:
    assert held(rule, results_of(24.0, 24.0, 24.0), 24.0)


@pytest.mark.parametrize(("rule", "claim"), [(mean_at_least, 24.6), (mean_at_most, 23.4)])
def test_scatter_around_a_mean_that_misses_the_claim_never_makes_it_pass(rule: Rule, claim: float) -> None:
    for scatter in (0.0, 1.0, 5.0, 20.0):
        assert not held(rule, results_of(24 - scatter, 24, 24 + scatter), claim)


@pytest.mark.parametrize("rule", [each_at_least, each_at_most])
def test_scatter_breaks_a_claim_about_each_seed(rule: Rule) -> None:
    assert held(rule, results_of(24, 24, 24), 24)
    assert not held(rule, results_of(23, 24, 25), 24)


def test_an_allowance_is_all_that_a_mean_may_lack() -> None:
    mean_at_least(results_of(24.0, 24.2), "modes", 24.6, allowance=0.5)
    mean_at_most(results_of(0.45, 0.43), "modes", 0.40, allowance=0.05)
    with pytest.raises(AssertionError, match="below"):
        mean_at_least(results_of(24.0, 24.1), "modes", 24.6, allowance=0.5)
    with pytest.raises(AssertionError, match="above"):
        mean_at_most(results_of(0.45, 0.46), "modes", 0.40, allowance=0.05)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_a_value_that_is_not_known_refutes_every_claim(rule: Rule, value: float) -> None:
    for values in ((24.0, value), (value, 24.0)):
        assert not held(rule, results_of(*values), 24.0)


@pytest.mark.parametrize("rule", RULES)
def test_a_seed_that_did_not_finish_refutes_every_claim(rule: Rule) -> None:
    assert not held(rule, results_of(24.0, 24.0, statuses=("finished", "failed")), 24.0)
    assert not held(rule, results_of(), 24.0)


def test_a_metric_that_a_seed_lacks_refutes_every_claim() -> None:
    with pytest.raises(AssertionError, match=r"^high_quality is not known for seeds \[0, 1\]"):
        each_at_least(results_of(24.0, 24.0), "high_quality", 0.4)


def test_no_slow_test_eases_its_claim_by_the_scatter_of_its_own_seeds() -> None:
    slow = sorted(ROOT.glob("plugins/*/tests/test_*_science.py"))
    assert len(slow) >= 3
    assert [path.name for path in slow if "standard_error" in path.read_text("utf-8")] == []
