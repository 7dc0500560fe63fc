"""Metrics reproduce closed forms and the floors of real data against real data."""

import math
from collections.abc import Iterator

import ot
import pytest
import torch
from scipy.optimize import linear_sum_assignment
from scipy.stats import chi, ncx2

from allmodes.builtin.config.features import ItemsConfig
from allmodes.builtin.config.metrics import (
    KINDS,
    ClassCoverageConfig,
    ClusteringConfig,
    ConditionalConfig,
    FeatureMetricConfig,
    IvomConfig,
    ModesConfig,
    ShareConfig,
)
from allmodes.builtin.config.mixtures import CircleConfig, GridConfig, HighDimensionalConfig, MixtureConfig, RingConfig
from allmodes.data import Data, TensorData, digits, equal_coverage
from allmodes.data.batch import Batch
from allmodes.metrics import ClassCoverage, Evaluation, Modes, Wasserstein, kl, measure_floors, variance_ratio_floor
from allmodes.metrics.modes import chance_quality
from allmodes.metrics.transport import wasserstein
from allmodes_schemas import MetricConfig

COVERAGE = 1 - math.exp(-4.5)  # share of a 2-D Gaussian's points within 3 stds: 0.9889
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
    mean, std = measure_floors([Modes()], config.build(), 2500, repeats=60)["kl"]
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
    quality = {"high_quality": 1, "high_quality_points": 80, "high_quality_radius": 3}
    assert scores == pytest.approx({"modes": 8, "kl": 0, "variance_ratio": 0, **quality}, abs=1e-9)


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
    assert scores["modes"] == 10
    assert scores["high_quality"] == pytest.approx(COVERAGE, abs=0.002)
    assert scores["variance_ratio"] == pytest.approx(variance_ratio_floor(data.truth.radius, 700), abs=0.002)


@pytest.mark.parametrize(
    ("dims", "radius"), [(1, 2.5393), (2, 3), (3, 3.3342), (10, 4.7857), (20, 6.0982), (700, 28.0778)]
)
def test_the_radius_holds_as_many_points_in_every_dimension(dims: int, radius: float) -> None:
    assert equal_coverage(dims) == pytest.approx(chi.ppf(COVERAGE, dims), rel=1e-9)
    assert equal_coverage(dims) == pytest.approx(radius, rel=2e-4)
    assert equal_coverage(2) == 3.0  # exactly: the data of older runs keep their fingerprint


@pytest.mark.parametrize("dims", [1, 3, 10, 20])
@pytest.mark.parametrize("k", [1, 3])
def test_a_perfect_sampler_has_the_same_quality_in_every_dimension(dims: int, k: int) -> None:
    means = [[30.0 * i] * dims for i in range(k)]
    data = MixtureConfig(means=means, std=[0.5, 1, 2][:k], weights=[1, 3, 9][:k]).build()
    scores = modes(data, drawn(data).x)
    assert scores["modes"] == k
    assert scores["high_quality"] == pytest.approx(COVERAGE, abs=4 * math.sqrt(COVERAGE * (1 - COVERAGE) / 20_000))
    floor, spread = variance_ratio_floor(equal_coverage(dims), dims), math.sqrt(2 / (20_000 * dims))
    assert scores["variance_ratio"] == pytest.approx(floor, abs=4 * spread)
    assert scores["kl"] == pytest.approx((k - 1) / (2 * 20_000), abs=5e-4)
    assert scores["high_quality_radius"] == equal_coverage(dims)
    assert scores["high_quality_points"] == 20_000 * scores["high_quality"]


def test_only_coordinates_that_vary_count_for_the_radius() -> None:
    truth = HighDimensionalConfig().build().truth
    assert (truth.noisy, truth.radius) == (700, equal_coverage(700))


def test_a_threshold_that_is_given_is_the_radius() -> None:
    data = MixtureConfig(means=[[0.0] * 10], threshold=3).build()
    scores = modes(data, drawn(data).x)
    assert scores["high_quality_radius"] == 3
    assert scores["high_quality"] == pytest.approx(chi.cdf(3, 10), abs=0.015)  # 0.468


@pytest.mark.parametrize("dims", [1, 2, 5])
@pytest.mark.parametrize("away", [0.0, 1.0])
@pytest.mark.parametrize("narrow", [0.1, 0.5, 0.9])
def test_a_narrow_mode_within_a_wide_one_costs_a_perfect_sampler_nothing(dims: int, away: float, narrow: float) -> None:
    """The wide ball holds the narrow one, so what counts is the mass in the wide ball; the nearest mean gave 84 %."""
    means = [[away, *[0.0] * (dims - 1)], [0.0] * dims]
    data = MixtureConfig(means=means, std=[0.05, 1.0], weights=[narrow, 1 - narrow]).build()
    radius = equal_coverage(dims)
    inside = ncx2.cdf((radius / 0.05) ** 2, dims, max((away / 0.05) ** 2, 1e-12))
    expected = narrow * float(inside) + (1 - narrow) * COVERAGE
    scores = modes(data, drawn(data).x)
    assert scores["high_quality"] == pytest.approx(expected, abs=4 * math.sqrt(COVERAGE * (1 - COVERAGE) / 20_000))
    assert scores["modes"] == 2


def test_points_of_a_narrow_mode_within_a_wide_one_are_its_own() -> None:
    """Found by the posterior: in units of width all of them would be the wide one's, which is never farther away."""
    data = MixtureConfig(means=[[0, 0], [0, 0]], std=[0.01, 1.0], weights=[1, 1]).build()
    batch = drawn(data)
    mode, good = data.truth.modes_of(batch.x)
    right = (mode == batch.labels)[good].double().mean()
    assert right > 0.98
    assert modes(data, batch.x)["kl"] < 1e-3


def test_points_of_a_wide_mode_near_a_narrow_one_are_not_judged_by_its_width() -> None:
    data = MixtureConfig(means=[[0, 0], [2, 0]], std=[0.01, 1.0]).build()
    mode, good = data.truth.modes_of(torch.tensor([[0.1, 0.0], [0.0, 0.0], [0.9, 0.0], [-0.9, 0.0], [-1.1, 0.0]]))
    assert mode.tolist() == [1, 0, 1, 1, 1]
    assert good.tolist() == [True, True, True, True, False]


def test_a_sample_in_a_mode_of_weight_zero_is_of_no_quality_and_leaves_the_numbers_finite() -> None:
    data = MixtureConfig(means=[[0, 0], [10, 0], [20, 0]], std=1, weights=[1, 1, 0]).build()
    stray = torch.tensor([[20.0, 0.0]])
    scores = modes(data, torch.cat([data.truth.means[:2].repeat(50, 1), stray]))
    assert (scores["modes"], scores["high_quality_points"], scores["kl"]) == (2, 100, 0)
    assert scores["high_quality"] == pytest.approx(100 / 101)
    assert math.isfinite(modes(data, stray.repeat(100, 1))["high_quality"])


def test_a_point_that_modes_of_positive_and_zero_weight_share_belongs_to_the_former() -> None:
    data = MixtureConfig(means=[[0, 0], [1, 0]], std=1, weights=[1, 0]).build()
    mode, good = data.truth.modes_of(torch.tensor([[1.0, 0.0]]))
    assert (mode.tolist(), good.tolist()) == ([0], [True])


@pytest.mark.parametrize(("points", "told"), [(79, False), (80, True)])
def test_kl_and_variance_of_fewer_than_ten_points_a_mode_are_withheld(points: int, told: bool) -> None:
    data = RingConfig().build()
    good = data.truth.means.repeat(10, 1)[:points]
    scores = modes(data, torch.cat([good, torch.zeros(500, 2)]))
    assert scores["high_quality_points"] == points
    assert [math.isfinite(scores[key]) for key in ("kl", "variance_ratio")] == [told, told]


def test_modes_of_weight_zero_ask_for_no_points() -> None:
    data = RingConfig(weights=[1, 1, 0, 0, 0, 0, 0, 0]).build()
    assert modes(data, data.truth.means[:2].repeat(10, 1))["kl"] == pytest.approx(0, abs=1e-9)


def test_samples_that_are_not_finite_belong_to_no_mode() -> None:
    mode, good = RingConfig().build().truth.modes_of(torch.tensor([[math.nan, 0], [math.inf, 0], [0, -1]]))
    assert (mode.tolist(), good.tolist()) == ([-1, -1, 0], [False, False, True])


def test_chance_is_the_share_of_the_box_that_the_modes_fill() -> None:
    ring, grid = RingConfig(std=0.05).build().truth, GridConfig().build().truth
    assert chance_quality(ring) == pytest.approx(8 * math.pi * 0.15**2 / 2.3**2, rel=0.05)
    assert chance_quality(grid) == pytest.approx(25 * math.pi * 0.15**2 / 8.3**2, rel=0.15)  # 0.026
    assert chance_quality(grid) == chance_quality(grid)


def test_modes_need_data_whose_modes_are_known() -> None:
    data = digits()
    with pytest.raises(ValueError) as refusal:
        modes(data, data.x)
    assert str(refusal.value) == "metric modes: the modes of the data are not known"


# Wasserstein


@pytest.mark.parametrize(("config", "expected", "spread"), [(RingConfig(), 0.036, 0.012), (GridConfig(), 0.207, 0.034)])
def test_w1_of_real_points_is_the_known_floor(config: RingConfig, expected: float, spread: float) -> None:
    mean, _ = measure_floors([Wasserstein()], config.build(), 2500, repeats=2)["w1"]
    assert abs(mean - expected) < 2 * spread


def test_w1_is_the_cost_of_the_best_assignment() -> None:
    data = GridConfig().build()
    base = evaluation(data, drawn(data, 200).x)
    cost = torch.cdist(base.samples.double(), base.real.x.double()).numpy()
    rows, columns = linear_sum_assignment(cost)
    assert Wasserstein().compute(base)["w1"] == pytest.approx(cost[rows, columns].mean())


@pytest.mark.parametrize(("n", "dims"), [(2, 1), (50, 2), (300, 2), (200, 64)])
def test_w1_is_that_of_the_network_simplex(n: int, dims: int) -> None:
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        x, y = (torch.randn(n, dims, generator=generator, dtype=torch.float64) for _ in range(2))
        y[: n // 3] = 0.5 * x[: n // 3]  # some matches are cheap, and several plans are nearly as good
        cost = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").numpy()
        assert wasserstein(x, y) == pytest.approx(float(ot.emd2([], [], cost)), rel=1e-12)


@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_w1_of_collapsed_points_is_that_of_the_network_simplex(spread: float) -> None:
    data, noise = RingConfig().build(), torch.randn(1100, 2, generator=torch.Generator().manual_seed(1)).double()
    x, y = torch.tensor([1.0, 0]) + spread * noise, drawn(data, 1100).x.double()
    cost = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").numpy()
    assert wasserstein(x, y) == pytest.approx(float(ot.emd2([], [], cost)), rel=1e-12)
    assert wasserstein(x[:5], x[:5]) == 0


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


@pytest.mark.parametrize(("samples", "told"), [(99, False), (100, True)])
def test_the_kl_of_fewer_than_ten_samples_a_class_is_withheld(samples: int, told: bool) -> None:
    data = digits()
    scores = ClassCoverage().compute(evaluation(data, data.test_x[:samples]))
    assert (scores["classes"], math.isfinite(scores["class_kl"])) == (10, told)


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
    mean, std = measure_floors([Wasserstein()], data, 10, repeats=3)["w1"]
    assert 0 < mean < 15  # other items, but test items on both sides
    assert std > 0
    assert measure_floors([Wasserstein()], data, 10, repeats=3) == {"w1": (mean, std)}


def test_a_floor_that_so_few_samples_cannot_give_is_not_a_number() -> None:
    found = measure_floors([Modes()], CircleConfig().build(), samples=1, repeats=3)
    assert all(map(math.isnan, found["variance_ratio"]))
    assert found["modes"] == (1, 0)


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind not in (IvomConfig, ClusteringConfig, ConditionalConfig)]
)
def test_a_metric_gives_the_numbers_that_its_config_declares(kind: type[MetricConfig]) -> None:
    options = {"features": ItemsConfig()} if issubclass(kind, FeatureMetricConfig) else {}
    options |= {"label": 0} if kind is ShareConfig else {}
    config, data = kind(**options), RingConfig().build()
    metric = config.build()
    assert metric.compute(evaluation(data, drawn(data, 50).x)).keys() == config.numbers().keys()
    assert metric.figure(evaluation(data, drawn(data, 50).x)) is None


def test_metrics_say_what_they_need() -> None:
    assert [need.slot for need in ModesConfig.needs] == ["truth"]
    assert [need.slot for need in ClassCoverageConfig.needs] == ["labels"]
