"""Statistics of a study against closed forms and counts by hand, the clock of runs, and notes on unequal budgets."""

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from allmodes.experiments.clock import Clock, sharing, starting
from allmodes.runs.run import Outcome
from allmodes.studies import budgets, statistics
from allmodes.studies.comparison import Group, Row
from allmodes.studies.inference import holm, interval, least_p, paired_p, unpaired_p
from allmodes_schemas import Key


def test_the_interval_of_many_values_is_that_of_a_normal_mean() -> None:
    values = np.random.default_rng(1).normal(3, 2, (400, 2))
    low, high = interval(values)
    half = 1.96 * values.std(0, ddof=1) / 20
    np.testing.assert_allclose(low, values.mean(0) - half, atol=0.2 * half.min())
    np.testing.assert_allclose(high, values.mean(0) + half, atol=0.2 * half.min())


def test_the_interval_of_skewed_values_reaches_further_to_the_long_side() -> None:
    values = np.array([0.0, 0, 0, 0, 0, 0, 0, 0, 1, 9])
    low, high = interval(values)
    assert values.mean() - low < high - values.mean()


def test_equal_values_have_an_interval_without_width_and_one_value_has_none() -> None:
    low, high = interval(np.full((5, 1), 8.0))
    assert (low.item(), high.item()) == (8, 8)
    assert all(math.isnan(end) for end in interval(np.array([8.0])))


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([3, 1, -1], 6 / 8),  # the sums of |3 ± 1 ± 1| with all signs that are at least 3: 5, 3, 3 and their negatives
        ([1, 2, 4], 2 / 8),
        ([0, 0, 0], 1),
        ([*range(1, 11)], 2 / 2**10),
    ],
)
def test_the_p_of_paired_values_is_counted_over_all_changes_of_sign(differences: list[float], p: float) -> None:
    other = [10.0, 20, 5, 7, 8, 1, 2, 3, 4, 5][: len(differences)]
    assert paired_p([o + d for o, d in zip(other, differences, strict=True)], other) == pytest.approx(p)


def test_one_pair_or_one_that_is_not_finite_gives_no_p() -> None:
    assert math.isnan(paired_p([1.0], [2.0]))
    assert math.isnan(paired_p([1.0, math.inf], [2.0, 3.0]))


def test_an_unpaired_p_is_the_share_of_splits_that_differ_as_much() -> None:
    assert unpaired_p([1, 2, 3], [4, 5, 6]) == pytest.approx(2 / 20)
    assert unpaired_p([1, 6], [2, 5]) == 1
    assert math.isnan(unpaired_p([1], [2, 3]))


def test_holm_multiplies_the_smallest_p_most_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03, math.nan])[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert math.isnan(holm([0.01, math.nan])[1])
    assert holm([0.6, 0.9]) == [1, 1]


def test_holm_is_wrong_in_at_most_five_of_a_hundred_families_without_any_difference() -> None:
    ps = np.random.default_rng(0).uniform(size=(2000, 10))
    wrong = np.mean([min(holm(list(family))) <= 0.05 for family in ps])
    assert 0.03 < wrong < 0.065


def row(method: str, values: Mapping[int, float], **costs: float) -> Row:
    outcomes = {
        s: Outcome("finished", 1, 1.0, {"w1": value}, cpu_seconds=costs.pop("cpu", 1.0)) for s, value in values.items()
    }
    return Row(method, outcomes, dict.fromkeys(values, "finished"))


SEEDS = range(7)
GAN = row("ring-gan", {s: 1.0 + s for s in SEEDS})
NEARER = row("ring-near", {s: 0.5 + s for s in range(9)})
FARTHER = row("ring-far", {s: 3.0 + 2 * s for s in SEEDS})


def lines_of(*rows: Row, better: Any = "lower", pattern: str = "") -> dict[str, statistics.Line]:
    group = Group("ring", rows, {"w1": Key(better)})
    return {line.method: line for line in statistics.lines(group, "w1", statistics.baseline_of(group, pattern))}


def test_methods_are_judged_against_the_baseline_on_the_seeds_that_both_have() -> None:
    found = lines_of(GAN, NEARER, FARTHER)
    near, far = found["ring-near"], found["ring-far"]
    assert (near.seeds, near.pairs, near.difference) == (9, 7, -0.5)
    assert near.p == far.p == 2 / 2**7
    assert near.corrected == far.corrected == 4 / 2**7  # two comparisons
    assert (near.verdict, far.verdict, found["ring-gan"].verdict) == ("better", "worse", "")
    assert lines_of(GAN, NEARER, better="higher")["ring-near"].verdict == "worse"
    assert lines_of(GAN, NEARER, better=None)["ring-near"].verdict == ""


def test_a_pattern_chooses_the_baseline_of_each_group() -> None:
    assert lines_of(NEARER, GAN, pattern="*-gan")["ring-near"].difference == -0.5
    assert lines_of(NEARER, GAN, pattern="*-none")["ring-near"].pairs == 0


def test_withheld_numbers_and_unfinished_seeds_are_in_no_test() -> None:
    outcomes = {**NEARER.outcomes, 0: Outcome("finished", 1, 1.0, {"w1": math.nan})}
    partly = Row("partly", outcomes, {**NEARER.states, 1: "failed"})
    assert (lines_of(GAN, partly)["partly"].seeds, lines_of(GAN, partly)["partly"].pairs) == (7, 5)


def test_the_page_says_how_many_seeds_could_tell_methods_apart() -> None:
    few = [row(f"m{i}", {s: float(i + s) for s in range(4)}) for i in range(3)]
    found = {"w1": list(lines_of(*few).values())}
    assert least_p(4, 2) == 0.25
    assert statistics._power(found) == " With 4 seeds no corrected p is below 0.25: 7 seeds could tell methods apart."
    assert least_p(7, 2) <= 0.05 < least_p(6, 2)
    assert statistics._power({"w1": list(lines_of(GAN, NEARER).values())}) == ""


def spent(method: str, images: float, cpu: float | None) -> Row:
    return Row(method, {0: Outcome("finished", 1, 1.0, costs={"items": images}, cpu_seconds=cpu)}, {0: "finished"})


def test_a_note_says_which_budgets_differ() -> None:
    unequal = Group("ring", (spent("a", 1000, 1.0), spent("b", 2500, 1.6), spent("c", 1000, None)))
    assert budgets.describe(unequal) == (
        "**Budgets differ**: images seen from 1,000 to 2,500 (2.5 times); CPU seconds from 1 to 1.6 (1.6 times). "
        "A difference between two rows may be one of budget."
    )
    assert budgets.describe(Group("ring", (spent("a", 1000, 1.0), spent("b", 1000, 1.4)))) == ""


def timed(method: str, *seconds: float) -> Row:
    outcomes = {s: Outcome("finished", 1, 1.0, costs={"items": 9}, cpu_seconds=one) for s, one in enumerate(seconds)}
    return Row(method, outcomes, dict.fromkeys(outcomes, "finished"))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((timed("a", 1.0, 1.0), timed("b", 1.1, 1.2)), ""),  # less than a fifth
        ((timed("a", 1.0, 1.0), timed("b", 1.2, 1.3)), "from 1 to 1.2 (1.2 times)"),  # seeds are alike
        ((timed("a", 0.8, 1.0, 1.2), timed("b", 1.2, 1.5, 1.8)), ""),  # seeds differ by a fifth themselves
        ((timed("a", 0.8, 1.0, 1.2), timed("b", 1.4, 1.7, 2.0)), "from 1 to 1.7 (1.7 times)"),
        ((timed("a", 1.0, 1.0), timed("b", 1.3)), "from 1 to 1.3 (1.3 times)"),  # by the spread of the other
    ],
)
def test_how_much_the_processor_s_time_may_differ_is_told_by_its_spread_over_seeds(
    rows: tuple[Row, ...], said: str
) -> None:
    found = budgets.describe(Group("ring", rows))
    assert (f"CPU seconds {said}." in found) if said else not found


def test_runs_that_are_updated_together_share_the_time_of_the_processor_and_not_the_time_asleep() -> None:
    clocks, began = [Clock(), Clock()], time.process_time()
    for clock in clocks:
        with starting(clock):
            work(0.01)
    with sharing(clocks):
        work(0.02)
        time.sleep(0.05)
    everything = time.process_time() - began
    assert sum(clock.cpu_seconds for clock in clocks) == pytest.approx(everything, abs=2e-3)
    assert all(0.01 <= clock.start_cpu_seconds < 0.02 <= clock.cpu_seconds < 0.03 for clock in clocks)
    assert all(clock.seconds >= 0.035 for clock in clocks)


def work(seconds: float) -> None:
    """Keep the processor busy."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_a_checkpoint_keeps_the_clock_and_one_of_an_older_version_its_seconds() -> None:
    clock, old = Clock(3.0, 2.0, 1.0), Clock()
    restored = Clock()
    restored.load_state_dict(clock.state_dict())
    old.load_state_dict({"seconds": 3.0})
    assert restored == clock
    assert old.seconds == 3
    assert math.isnan(old.cpu_seconds)
