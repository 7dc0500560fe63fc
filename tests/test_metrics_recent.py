"""Metrics of recent papers agree with closed forms: clipped density and coverage, RKE, Vendi, the gap, and NDB."""

import math
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import betabinom, binomtest
from torch import Tensor

from allmodes import (
    ClippedDensityCoverageConfig,
    DiversityGapConfig,
    Evaluation,
    ItemsConfig,
    MemorisationConfig,
    MetricConfig,
    NdbConfig,
    RkeConfig,
    VendiConfig,
)
from allmodes.data import TensorData
from allmodes.data.batch import Batch
from allmodes.metrics import ClippedDensityCoverage, DensityCoverage, DiversityGap, FeatureMetric, Ndb, Rke, Vendi, rke
from allmodes.metrics.bins import jensen_shannon, proportion_scores
from allmodes.metrics.clipped import expected_cover, good_share
from allmodes.metrics.diversity import effective_number, gaussian_shares, kernel_width, truncate
from allmodes.testing import MetricContract
from tiny import SPEC

PIXELS = ItemsConfig()
KINDS: tuple[MetricConfig, ...] = (
    ClippedDensityCoverageConfig(), RkeConfig(), VendiConfig(kernel="gaussian", truncate=5), DiversityGapConfig(),
    NdbConfig(bins=5), MemorisationConfig(),
)  # fmt: skip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, dims: int, seed: int) -> Tensor:
    return torch.randn(n, dims, generator=generator(seed), dtype=torch.float64)


def compare(metric: FeatureMetric, x: Tensor, y: Tensor) -> dict[str, float]:
    return metric.compare(x, y, generator())


def score(config: MetricConfig, samples: Tensor, real: Tensor) -> dict[str, float]:
    data = TensorData(real, test_x=real + 1e-3)
    found: dict[str, float] = config.build().compute(Evaluation(samples, data, Batch(real + 1e-3), generator()))
    return found


class Recent(MetricContract):
    spec: ClassVar[Any] = SPEC


class TestClipped(Recent):
    config = ClippedDensityCoverageConfig()


class TestRke(Recent):
    config = RkeConfig()


class TestTruncatedVendi(Recent):
    config = VendiConfig(kernel="gaussian", truncate=20)


class TestDiversityGap(Recent):
    config = DiversityGapConfig()


class TestNdb(Recent):
    config = NdbConfig(bins=5)


del Recent


# All of them


@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.kind)
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_samples_that_are_not_finite_have_no_numbers(config: MetricConfig, broken: float) -> None:
    samples = normal(60, 2, 0).float()
    samples[5] = broken
    numbers = score(config, samples, normal(60, 2, 1).float())
    assert numbers.keys() == config.numbers().keys()
    assert all(math.isnan(value) for value in numbers.values())


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@pytest.mark.parametrize("config", KINDS, ids=lambda config: config.kind)
def test_few_and_equal_items_do_not_break_a_metric(config: MetricConfig) -> None:
    for samples, real in ((normal(2, 2, 0), torch.zeros(2, 2)), (torch.zeros(60, 2), torch.zeros(60, 2))):
        assert score(config, samples.float(), real).keys() == config.numbers().keys()


# Clipped density and coverage


def test_clipped_density_and_coverage_are_their_definition() -> None:
    x, y, k = 1.5 * normal(50, 3, 0), normal(60, 3, 1), 4
    radii = np.sort(cdist(y, y), axis=1)[:, k]
    cut = np.minimum(radii, np.sort(radii)[29])
    balls, others = (cdist(x, y) <= cut).sum(1), (cdist(y, y) <= cut).sum(1) - 1
    density = np.minimum(balls / k, 1).mean() / np.minimum(others / k, 1).mean()
    covered = np.minimum((cdist(x, y) <= radii).sum(0) / k, 1).mean()
    found = compare(ClippedDensityCoverage(PIXELS, k), x, y)
    assert found["clipped_density"] == pytest.approx(min(density, 1))
    assert found["clipped_coverage"] == pytest.approx(good_share(covered, 50, 60, k))


def test_the_expected_cover_is_the_mean_of_a_clipped_beta_binomial_count() -> None:
    counts = np.arange(31)
    expected = (np.minimum(counts, 5) / 5 * betabinom.pmf(counts, 30, 5, 35)).sum()
    assert expected_cover(np.array([0, 30]), 40, 5) == pytest.approx([0, expected])


def test_the_share_of_good_samples_is_read_off_the_expected_cover() -> None:
    """Draws from the data have the expected cover, whatever the data are."""
    covers = list[float]()
    for i in range(20):
        real, samples = normal(300, 2, 2 * i), normal(150, 2, 2 * i + 1)
        inside = torch.cdist(real, samples) <= torch.cdist(real, real).sort(1).values[:, 5:6]
        covers.append(float((inside.sum(1) / 5).clamp(max=1).mean()))
    mean = sum(covers) / 20
    assert mean == pytest.approx(float(expected_cover(np.array([150]), 300, 5)[0]), abs=0.012)
    assert good_share(mean, 150, 300, 5) == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize("good", [1.0, 0.75, 0.5, 0.25, 0.0])
def test_both_are_the_share_of_samples_that_are_good(good: float) -> None:
    x, y = normal(1000, 4, 0), normal(1000, 4, 1)
    x[round(1000 * good) :] += 100
    found = compare(ClippedDensityCoverage(PIXELS), x, y)
    assert found == pytest.approx({"clipped_density": good, "clipped_coverage": good}, abs=0.04)


def test_neither_a_far_real_item_nor_a_crowd_makes_up_for_bad_samples() -> None:
    real = torch.cat([normal(400, 2, 1), torch.tensor([[60.0, 60.0]]).double()])
    at_the_outlier = torch.tensor([30.0, 30.0]).double() + normal(400, 2, 0)  # in its ball, which reaches to the data
    assert compare(ClippedDensityCoverage(PIXELS), at_the_outlier, real)["clipped_density"] == 0
    radii = torch.cdist(real, real).sort(1).values[:, 5]
    densest = real[(torch.cdist(real, real) <= radii).sum(1).argmax()]
    crowd = torch.cat([densest.expand(250, 2), normal(150, 2, 2) + 100])
    assert compare(DensityCoverage(PIXELS), crowd, real)["density"] > 1
    found = compare(ClippedDensityCoverage(PIXELS), crowd, real)
    assert found["clipped_density"] < 1
    assert found["clipped_coverage"] < 0.05


# RKE and Vendi


def clusters(modes: int, each: int, spread: float = 0.0) -> Tensor:
    """Equal clusters (modes * each, 2) at distances of 100 and more."""
    centres = 100 * torch.arange(modes, dtype=torch.float64)[:, None] * torch.tensor([1.0, 0.0]).double()
    return (centres[:, None] + spread * normal(modes * each, 2, 0).view(modes, each, 2)).flatten(0, 1)


@pytest.mark.parametrize("modes", [1, 4, 10])
def test_equal_modes_far_apart_are_counted(modes: int) -> None:
    x = clusters(modes, 12)
    assert rke(x, 1.0) == pytest.approx(modes)
    assert effective_number(gaussian_shares(x, 1.0)) == pytest.approx(modes)


def test_unequal_modes_count_by_the_entropies_of_their_shares() -> None:
    shares = torch.tensor([0.5, 0.25, 0.25]).double()
    x = torch.cat([clusters(3, 1)[i : i + 1].expand(n, 2) for i, n in enumerate((20, 10, 10))])
    assert rke(x, 1.0) == pytest.approx(1 / float(shares.square().sum()))
    assert effective_number(gaussian_shares(x, 1.0)) == pytest.approx(2**1.5)


@pytest.mark.parametrize("dims", [1, 3])
def test_the_rke_of_a_gaussian_has_its_closed_form(dims: int) -> None:
    """E exp(-|x - x'|^2 / w^2) is (1 + 4 s^2 / w^2)^(-D / 2), and n of the n^2 pairs are of an item with itself."""
    n, spread, width = 3000, 0.7, 1.1
    pairs = (1 + 4 * spread**2 / width**2) ** (-dims / 2)
    expected = 1 / (1 / n + (1 - 1 / n) * pairs)
    assert rke(spread * normal(n, dims, 0), width) == pytest.approx(expected, rel=0.02)


def test_rke_is_the_sum_of_squared_eigenvalues() -> None:
    x = normal(50, 3, 0)
    shares = gaussian_shares(x, 0.8)
    assert float(shares.sum()) == pytest.approx(1)
    assert rke(x, 0.8) == pytest.approx(1 / float(shares.square().sum()))
    kernel = np.exp(-cdist(x, x, "sqeuclidean") / (2 * 0.8**2)) / 50
    assert shares.numpy() == pytest.approx(np.linalg.eigvalsh(kernel), abs=1e-12)


def test_the_width_is_in_median_distances_of_real_items() -> None:
    real = torch.tensor([[0.0], [1.0], [3.0]]).double()  # distances 1, 2, 3
    assert kernel_width(real, 0.5) == 1
    assert math.isnan(kernel_width(torch.zeros(5, 1), 0.5))
    x = normal(40, 2, 0)
    assert compare(Rke(PIXELS), 7 * x, 7 * x) == pytest.approx(compare(Rke(PIXELS), x, x))


def test_truncated_eigenvalues_share_the_rest_evenly() -> None:
    shares = torch.tensor([0.5, 0.3, 0.15, 0.05]).double()
    assert truncate(shares, 2).tolist() == pytest.approx([0.6, 0.4])
    assert truncate(shares, 9).tolist() == pytest.approx(shares.tolist())
    expected = math.exp(-(0.6 * math.log(0.6) + 0.4 * math.log(0.4)))
    assert effective_number(truncate(shares, 2)) == pytest.approx(expected)
    few = truncate(gaussian_shares(clusters(3, 40), 1.0), 50)  # all but three of them are 0, give or take rounding
    assert effective_number(few) == pytest.approx(3)


def test_truncation_bounds_the_score_which_grows_with_samples_otherwise() -> None:
    def found(n: int, **options: Any) -> float:
        return next(
            iter(compare(Vendi(PIXELS, kernel="gaussian", **options), normal(n, 8, 0), normal(200, 8, 1)).values())
        )

    assert found(800) > 1.3 * found(200)
    assert found(800, truncate=20) == pytest.approx(found(200, truncate=20), rel=0.05)
    assert found(800, truncate=20) <= 20


def test_keys_tell_a_truncated_score_from_a_whole_one() -> None:
    assert list(VendiConfig().numbers()) == ["vendi_items"]
    assert VendiConfig(truncate=9).title() == "truncated_vendi_items"


# The gap


def test_the_gap_is_the_log_of_how_many_times_more_modes_the_data_have() -> None:
    real, samples = clusters(8, 10, 0.01), clusters(2, 40, 0.01)
    found = compare(DiversityGap(PIXELS, bandwidth=0.01), samples, real)  # the median distance is about 300
    assert found == pytest.approx({"vendi_gap": math.log(4), "rke_gap": math.log(4)}, abs=0.01)


def test_samples_that_are_as_diverse_have_no_gap_and_wider_ones_a_negative_one() -> None:
    real = normal(300, 2, 1)
    assert compare(DiversityGap(PIXELS), real.flip(0), real) == pytest.approx({"vendi_gap": 0, "rke_gap": 0}, abs=1e-9)
    assert max(compare(DiversityGap(PIXELS), 3 * normal(300, 2, 0), real).values()) < -0.5


# NDB


def test_proportions_are_tested_with_the_pooled_variance() -> None:
    p, q = torch.tensor([30.0, 70.0, 0.0]), torch.tensor([60.0, 140.0, 0.0])
    assert proportion_scores(p, q).tolist() == [0, 0, 0]
    (z, _) = proportion_scores(torch.tensor([20.0, 80.0]), torch.tensor([60.0, 140.0])).tolist()
    pooled = 80 / 300
    assert z == pytest.approx(0.1 / math.sqrt(pooled * (1 - pooled) * (1 / 100 + 1 / 200)))


@pytest.mark.parametrize("dims", [2, 30])
def test_real_items_against_real_ones_reject_about_alpha_of_the_bins(dims: int) -> None:
    """Different training items: drawn with repetition they rejected a third of the bins in 64 dimensions."""
    metric, rejected = Ndb(PIXELS, bins=40), list[float]()
    for seed in range(6):
        x, trained = normal(1000, dims, 2 * seed), normal(1000, dims, 2 * seed + 1)
        evaluation = Evaluation(x, TensorData(trained, test_x=x), Batch(x), generator())
        rejected.append(metric.compute(evaluation)["ndb_items"])
    assert binomtest(round(40 * sum(rejected)), 240, 0.05).pvalue > 0.001


def test_missing_modes_are_the_bins_that_differ() -> None:
    real, half = clusters(10, 30, 0.1), clusters(5, 60, 0.1)
    found = compare(Ndb(PIXELS, bins=10), half, real)
    assert found["ndb"] == 1
    p, q = torch.tensor([0.2] * 5 + [0.0] * 5), torch.full((10,), 0.1)
    assert found["jsd"] == pytest.approx(jensen_shannon(p, q), rel=0.02)
    assert jensen_shannon(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])) == pytest.approx(math.log(2))


def test_bins_of_less_than_ten_samples_withhold_the_numbers() -> None:
    assert all(math.isnan(value) for value in compare(Ndb(PIXELS), normal(900, 2, 0), normal(1000, 2, 1)).values())
