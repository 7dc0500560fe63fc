"""The sanity checks draw what they say, their criteria tell right from wrong, and the page shows what they found."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from allmodes import DensityCoverageConfig, FidConfig, RingConfig, VendiConfig
from allmodes.data import Mixture
from sanity import __main__ as command
from sanity.checks import CHECKS, Check, Point, ball, cube, normal, rounded, sphere, torus, two, with_pareto, with_row
from sanity.criteria import Criterion, bell, either, falls, falls_by, flat, near, rises
from sanity.measuring import copied, judge, measure_sweep
from sanity.numbers import NUMBERS, Number

DRAW = torch.Generator()
BY_NAME = {check.name: check for check in CHECKS}


def radius(x: Tensor) -> Tensor:
    return x.norm(dim=1)


@pytest.mark.parametrize(
    ("criterion", "right", "wrong"),
    [
        (near(1, 0.2), [9, 0.24, 9], [0.2, 0.26, 0.2]),
        (flat(), [1, 1.04, 1.02], [1, 1.06, 1]),
        (flat(1), [9, 1, 1.04], [1, 1, 1.06]),
        (bell(1), [0, 1, 0.3], [0, 1, 0.9]),
        (bell(1), [0.05, 0.95, 0.1, 0.0], [0.3, 0.5, 0.7, 0.3]),
        (bell(1), [0, 1, 0], [0.3, 1, 0, 0.3]),
        (falls, [1, 0.5, 0], [1, 0.5, 0.9]),
        (falls, [0.95, 1, 0.05, 0], [0.5, 1, 0, 0.3]),
        (rises, [0, 0.5, 1], [1, 0.5, 0]),
        (falls_by(1), [1, 0.85, 0], [1, 0.95, 0]),
        (either(falls, flat()), [1, 1, 1], [0, 0.5, 1]),
    ],
)
def test_a_criterion_tells_right_from_wrong(criterion: Criterion, right: list[float], wrong: list[float]) -> None:
    assert criterion(right)
    assert not criterion(wrong)
    assert not criterion([math.nan] * 4)


@pytest.mark.parametrize(
    ("scale", "values", "real", "goodness"),
    [
        ("value", [0.2, 1], [1, 1], [0.2, 1]),
        ("inverse", [0.2, 1], [0.05, 0.05], [0.8, 0]),
        ("nats", [0, math.log(2)], [0, 0], [1, 0]),
        ("gap", [0, math.log(4)], [0, 0], [1, 0.25]),
        ("ratio", [4, 8], [8, 8], [0.5, 1]),
        ("distance", [2, 3, 6], [2, 2, 2], [1, 0.75, 0]),
        ("distance", [1, 1], [2, 2], [1, 1]),
    ],
)
def test_goodness_is_one_for_real_data(
    scale: str, values: list[float], real: list[float], goodness: list[float]
) -> None:
    number = Number("both", scale)  # type: ignore[arg-type]
    assert number.goodness(values, real) == pytest.approx(goodness)


def test_samplers_draw_what_they_are_called() -> None:
    DRAW.manual_seed(0)
    assert sphere(16, 0.3)(50, DRAW).norm(dim=1).tolist() == pytest.approx([0.3] * 50)
    inside = radius(ball(3, 0.8)(4000, DRAW))
    assert inside.max() <= 0.8
    assert float((inside < 0.4).double().mean()) == pytest.approx(1 / 8, abs=0.02)
    x = torus(4000, DRAW)
    tube = (radius(x[:, :2]) - 1).square() + x[:, 2].square()
    assert tube.max() <= 0.1**2 + 1e-6
    assert float((tube < 0.05**2).double().mean()) == pytest.approx(1 / 4, abs=0.03)
    tail = with_pareto(normal(1))(4000, DRAW)[:, 1]
    assert float((tail > 10).double().mean()) == pytest.approx(10**-1.01, abs=0.02)
    assert (rounded(normal(1, 0.0, 9.0))(9, DRAW) % 1 == 0).all()
    assert with_row(normal(2), 6.0)(5, DRAW)[-1].tolist() == [6, 6]
    assert radius(two(1, 50.0)(40, DRAW)).min() > 20


@pytest.mark.parametrize("dims", [1, 8, 64])
def test_a_fifth_of_a_cube_lies_in_the_other(dims: int) -> None:
    point = BY_NAME["cube, number of items"].sweeps[f"D = {dims}"][-1]
    assert not isinstance(point.fake, Mixture)
    x = point.fake(4000, DRAW.manual_seed(0))
    assert float((x <= 1).all(1).double().mean()) == pytest.approx(0.2, abs=0.03)
    assert cube(dims)(9, DRAW).max() <= 1


def test_every_check_asks_each_of_its_roles_for_what_its_sweeps_can_show() -> None:
    for check in CHECKS:
        for points in check.sweeps.values():
            for asked in check.asked:
                for criterion in asked.criteria.values():
                    criterion([0.5] * len(points))  # positions that it reads are there
    assert {number.role for number in NUMBERS.values()} == {"fidelity", "diversity", "both"}


def small(points: Sequence[Point]) -> list[Point]:
    return [Point(point.real, point.fake, 150, 150) for point in points]


def test_a_check_passes_what_does_as_asked_and_fails_what_does_not() -> None:
    whole = BY_NAME["mode dropping, one by one"]
    check = Check(whole.name, {"D = 8": small(whole.sweeps["D = 8"])}, whole.asked)
    verdicts = list(judge(check, metrics=[DensityCoverageConfig(), FidConfig(), VendiConfig()]))
    found = {(verdict.key, verdict.what): verdict.passed for verdict in verdicts}
    assert found["coverage_items", "shape"]
    assert found["fid_items", "shape"]
    assert not found["vendi_items", "shape"]  # the angles of a diagonal are all alike
    assert ("density_items", "one mode left") in found
    assert ("coverage_items", "one mode left") not in found


def test_real_data_are_measured_anew_where_they_change() -> None:
    a, b = normal(2), normal(2, 9.0)
    _, own = measure_sweep([Point(a, b, 60, 60), Point(a, a, 60, 60), Point(b, a, 60, 60)], metrics=[FidConfig()])
    assert own[0] is own[1] is not own[2]


def test_the_page_counts_what_passed_and_shows_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mean = BY_NAME["Gaussian, mean"]
    check = Check(mean.name, {"D = 8": small(mean.sweeps["D = 8"])}, mean.asked)
    metrics = [DensityCoverageConfig(), FidConfig()]
    monkeypatch.setattr(command, "CHECKS", [check])
    monkeypatch.setattr(command, "judge", lambda check, seeds: judge(check, seeds, metrics))
    monkeypatch.setattr(command, "ANY", metrics)
    monkeypatch.setattr(command, "OF_MODES", [])
    monkeypatch.setattr(command, "OF_MEMORY", [])
    monkeypatch.setattr(command, "COPIES", ([RingConfig(items=60).build()] * 2, 60))
    command.main(["--seeds", "0", "--out", str(tmp_path / "page.md")])
    page = (tmp_path / "page.md").read_text("utf-8")
    (row,) = [line for line in page.splitlines() if line.startswith("| Gaussian, mean |") and "✓" in line][:1]
    assert row.count("✓") >= 1
    assert "| `density` | " in page


def test_a_copy_is_seen_by_the_metrics_of_memory_alone() -> None:
    from allmodes import MemorisationConfig, WassersteinConfig

    sets = [RingConfig(items=400, items_seed=seed).build() for seed in range(5)]
    found = copied(sets, 200, [MemorisationConfig(), WassersteinConfig()])
    assert found["memorisation"][1] == [0] * 5
    rows = {row.split("`")[1]: row.split(" | ")[-1] for row in command.copy_rows(found)}
    assert rows == {"memorisation": "yes |", "copies": "yes |", "w1": "no |"}


@pytest.mark.slow
def test_the_results_page_is_what_the_checks_find(tmp_path: Path) -> None:
    command.main(["--out", str(tmp_path / "sanity.md")])
    ours, theirs = (
        [line for line in page.read_text("utf-8").splitlines() if line.startswith("| **all**")]
        for page in (tmp_path / "sanity.md", command.ROOT / "docs" / "results" / "sanity.md")
    )
    assert ours == theirs
