"""Metrics reproduce closed forms and the floors of real data against real data."""

import math
from collections.abc import Iterator

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from allmodes.data import Data, TensorData, digits
from allmodes.kinds.data import CircleConfig, GridConfig, HighDimensionalConfig, MixtureConfig, RingConfig
from allmodes.kinds.features import PixelsConfig
from allmodes.kinds.metrics import (
    KINDS,
    ClassCoverageConfig,
    ClusteringConfig,
    ConditionalConfig,
    FeatureMetricConfig,
    IvomConfig,
    ModesConfig,
    ShareConfig,
)
from allmodes.metrics import ClassCoverage, Evaluation, Modes, Wasserstein, floors, kl, variance_ratio_floor
from allmodes.step import Batch
from allmodes_schemas import MetricConfig

PERFECT = 0.9494  # variance ratio of a 2-D Gaussian cut off at 3 stds


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def evaluation(data: Data, samples: torch.Tensor, seed: int = 1) -> Evaluation:
    generator = torch.Generator().manual_seed(seed)
    return Evaluation(samples, data, data.held_out(len(samples), generator), generator)


def drawn(data: Data, n: int = 20_000) -> Batch:
    return data.draw(n, torch.Generator().manual_seed(0))


def modes(data: Data, samples: torch.Tensor) -> dict[str, float]:
    return Modes().compute(evaluation(data, samples))


# Modes


@pytest.mark.parametrize("config", [RingConfig(), GridConfig()])
def test_real_points_are_of_high_quality_as_often_as_the_closed_form_says(config: RingConfig) -> None:
    data = config.build()
    scores = modes(data, drawn(data, 100_000).x)
    assert scores["modes"] == config.classes()
    assert scores["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.001)  # 0.9889
    assert scores["variance_ratio"] == pytest.approx(PERFECT, abs=0.01)


def test_the_variance_of_a_perfect_sampler_is_cut_at_three_stds() -> None:
    closed_form = 1 - 4.5 * math.exp(-4.5) / (1 - math.exp(-4.5))
    assert variance_ratio_floor(3, dims=2) == pytest.approx(closed_form) == pytest.approx(PERFECT, abs=1e-4)


@pytest.mark.parametrize(("config", "expected"), [(RingConfig(), 0.0014), (GridConfig(), 0.0048)])
def test_the_kl_of_a_perfect_sampler_is_that_of_its_histogram(config: RingConfig, expected: float) -> None:
    mean, std = floors([Modes()], config.build(), 2500, repeats=60)["kl"]
    assert mean == pytest.approx(expected, abs=4 * std / math.sqrt(60))
    assert expected == pytest.approx((config.classes() - 1) / (2 * 2500 * (1 - math.exp(-4.5))), abs=1e-4)


def test_a_collapsed_sampler_captures_one_mode() -> None:
    data = RingConfig().build()
    scores = modes(data, data.truth.means[3] + 0.01 * torch.randn(1000, 2, generator=torch.Generator().manual_seed(0)))
    assert scores["modes"] == 1
    assert scores["kl"] == pytest.approx(math.log(8))


def test_a_sampler_of_single_points_has_no_variance() -> None:
    data = RingConfig().build()
    scores = modes(data, data.truth.means.repeat(10, 1))
    assert scores == pytest.approx({"modes": 8, "high_quality": 1, "kl": 0, "variance_ratio": 0}, abs=1e-9)


@pytest.mark.parametrize("shrink", [0.25, 0.5])
def test_a_shrunk_sampler_has_the_square_of_its_shrinkage_as_variance_ratio(shrink: float) -> None:
    data = GridConfig().build()
    batch = drawn(data)
    centre = data.truth.means[batch.labels]
    scores = modes(data, centre + shrink * (batch.x - centre))
    assert scores["variance_ratio"] == pytest.approx(shrink**2, rel=0.03)


def test_a_shifted_mode_is_not_taken_for_a_wide_one() -> None:
    data = RingConfig().build()
    batch = drawn(data)
    centre = data.truth.means[batch.labels]
    shifted = centre + 0.25 * (batch.x - centre) + 0.01
    assert modes(data, shifted)["variance_ratio"] == pytest.approx(1 / 16, rel=0.05)


def test_modes_of_different_width_count_in_their_own_stds() -> None:
    data = MixtureConfig(means=[[0, 0], [10, 10]], std=[0.1, 1.0], weights=[1, 3]).build()
    scores = modes(data, drawn(data).x)
    assert scores["high_quality"] == pytest.approx(0.9889, abs=0.003)
    assert scores["variance_ratio"] == pytest.approx(PERFECT, abs=0.02)
    assert scores["kl"] == pytest.approx(0, abs=5e-4)


def test_kl_is_taken_from_the_true_weights_and_not_from_uniform() -> None:
    data = RingConfig(weights=[1, 1, 1, 1, 1, 1, 1, 9]).build()
    p = torch.tensor([1 / 16] * 7 + [9 / 16])
    even = modes(data, data.truth.means.repeat(100, 1))
    assert modes(data, drawn(data).x)["kl"] < 0.001
    assert even["kl"] == pytest.approx(float((1 / 8 * (1 / 8 / p).log()).sum()), rel=1e-5)


def test_points_between_the_modes_are_not_counted_in_any() -> None:
    data = RingConfig().build()
    outside = torch.zeros(100, 2)
    scores = modes(data, torch.cat([data.truth.means[:4].repeat(25, 1), outside]))
    assert (scores["modes"], scores["high_quality"]) == (4, 0.5)
    assert scores["kl"] == pytest.approx(math.log(2))


@pytest.mark.parametrize("value", [0.0, math.nan, math.inf])
def test_without_a_sample_of_high_quality_there_is_nothing_to_measure(value: float) -> None:
    scores = modes(RingConfig().build(), torch.full((10, 2), value))
    assert (scores["modes"], scores["high_quality"]) == (0, 0)
    assert math.isnan(scores["kl"])
    assert math.isnan(scores["variance_ratio"])


def test_real_points_of_the_circle_score_what_its_overlapping_modes_allow() -> None:
    data = CircleConfig().build()
    scores = modes(data, drawn(data).x)
    assert scores["modes"] == 101
    assert scores["high_quality"] == pytest.approx(0.9965, abs=0.002)
    assert scores["variance_ratio"] == pytest.approx(0.745, abs=0.03)


def test_26000_points_in_1200_dimensions_are_scored_in_little_memory() -> None:
    data = HighDimensionalConfig().build()
    scores = modes(data, drawn(data, 26_000).x)
    assert (scores["modes"], scores["high_quality"]) == (10, 1)
    assert scores["variance_ratio"] == pytest.approx(1, abs=0.002)


def test_modes_need_data_whose_modes_are_known() -> None:
    data = digits()
    with pytest.raises(ValueError) as refusal:
        modes(data, data.x)
    assert str(refusal.value) == "metric modes: the data are not a mixture whose modes are known"


# Wasserstein


@pytest.mark.parametrize(("config", "expected", "spread"), [(RingConfig(), 0.036, 0.012), (GridConfig(), 0.207, 0.034)])
def test_w1_of_real_points_is_the_known_floor(config: RingConfig, expected: float, spread: float) -> None:
    mean, _ = floors([Wasserstein()], config.build(), 2500, repeats=2)["w1"]
    assert abs(mean - expected) < 2 * spread


def test_w1_is_the_cost_of_the_best_assignment() -> None:
    data = GridConfig().build()
    base = evaluation(data, drawn(data, 200).x)
    cost = torch.cdist(base.samples.double(), base.real.x.double()).numpy()
    rows, columns = linear_sum_assignment(cost)
    assert Wasserstein().compute(base)["w1"] == pytest.approx(cost[rows, columns].mean())


def test_w1_of_shifted_points_is_the_shift() -> None:
    data = GridConfig().build()
    base = evaluation(data, drawn(data, 400).x)
    shift = torch.tensor([0.3, 0.4])
    assert Wasserstein().compute(base.of(base.real.x + shift))["w1"] == pytest.approx(0.5, abs=1e-5)


def test_w1_of_a_collapsed_sampler_is_the_mean_distance_to_it() -> None:
    data = RingConfig().build()
    base = evaluation(data, torch.zeros(500, 2))
    assert Wasserstein().compute(base)["w1"] == pytest.approx(float(base.real.x.norm(dim=1).mean()), rel=1e-5)


def test_w1_of_samples_that_are_not_finite_is_not_a_number() -> None:
    assert math.isnan(Wasserstein().compute(evaluation(RingConfig().build(), torch.full((5, 2), math.nan)))["w1"])


# Classes


def test_real_digits_cover_all_classes_in_their_shares() -> None:
    data = digits()
    scores = ClassCoverage().compute(evaluation(data, data.test_x))
    assert scores["classes"] == 10
    assert scores["class_kl"] < 0.002


def test_a_sampler_of_one_digit_covers_one_class() -> None:
    data = digits()
    ones = data.x[data.labels == 1]
    scores = ClassCoverage().compute(evaluation(data, ones))
    assert scores["classes"] == 1
    assert scores["class_kl"] == pytest.approx(-math.log(len(ones) / len(data.x)))


def test_class_coverage_needs_labels() -> None:
    x = torch.randn(10, 2, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError) as refusal:
        ClassCoverage().compute(evaluation(TensorData(x, test_x=x), x))
    assert str(refusal.value) == "metric class_coverage: the data have no labels"


# All


def test_kl_has_its_closed_form() -> None:
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert kl(torch.tensor([3, 1]), torch.tensor([1.0, 1.0])) == pytest.approx(expected)
    assert kl(torch.tensor([1, 1]), torch.tensor([1.0, 0.0])) == math.inf


def test_floors_measure_real_items_against_other_real_items() -> None:
    x = torch.arange(20.0)[:, None]
    data = TensorData(x, test_x=100 + x)
    mean, std = floors([Wasserstein()], data, 10, repeats=3)["w1"]
    assert 0 < mean < 15  # other items, but test items on both sides
    assert std > 0
    assert floors([Wasserstein()], data, 10, repeats=3) == {"w1": (mean, std)}


def test_a_floor_that_so_few_samples_cannot_give_is_not_a_number() -> None:
    found = floors([Modes()], CircleConfig().build(), samples=1, repeats=3)
    assert all(map(math.isnan, found["variance_ratio"]))
    assert found["modes"] == (1, 0)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind not in (IvomConfig, ClusteringConfig, ConditionalConfig)]
)
def test_every_number_says_which_values_are_good(kind: type[MetricConfig]) -> None:
    options = {"features": PixelsConfig()} if issubclass(kind, FeatureMetricConfig) else {}
    options |= {"label": 0} if kind is ShareConfig else {}
    metric, data = kind(**options).build(), RingConfig().build()
    assert metric.compute(evaluation(data, drawn(data, 50).x)).keys() == metric.better.keys()
    assert metric.figure(evaluation(data, drawn(data, 50).x)) is None


def test_metrics_say_what_they_need() -> None:
    assert [need.slot for need in ModesConfig.needs] == ["truth"]
    assert [need.slot for need in ClassCoverageConfig.needs] == ["labels"]
