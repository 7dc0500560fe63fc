"""Metrics on features agree with closed forms, definitions by brute force, and other libraries."""

import math
from collections.abc import Mapping
from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
import ot
import pytest
import scipy.linalg
import torch
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from allmodes import Experiment, SpecError
from allmodes.builtin.config.features import ClassifierConfig, ItemsConfig, RandomConvConfig
from allmodes.builtin.config.metrics import (
    DensityCoverageConfig,
    FidConfig,
    KidConfig,
    PrecisionRecallConfig,
    SlicedWassersteinConfig,
    VendiConfig,
)
from allmodes.data import Data, DataError, TensorData, digits
from allmodes.data.batch import Batch
from allmodes.game.contracts import Latent, Prior
from allmodes.game.noise import Noise
from allmodes.metrics import (
    Clustering,
    DensityCoverage,
    Evaluation,
    Fid,
    Ivom,
    Kid,
    Metric,
    PrecisionRecall,
    SlicedWasserstein,
    agreement,
    build_metrics,
    frechet,
    measure_floors,
    polynomial_mmd,
    vendi,
)
from allmodes.metrics.distances import Cloud
from allmodes.metrics.measure import measure
from allmodes.metrics.transport import sliced_wasserstein
from allmodes_schemas import Given, MetricConfig
from faulty import SquaresConfig, registry_of
from tiny import SPEC

PIXELS = ItemsConfig()
QUICK = ClassifierConfig(iterations=120, width=8, features=32)
ON_PIXELS = (
    FidConfig(), KidConfig(size=100), PrecisionRecallConfig(), DensityCoverageConfig(), SlicedWassersteinConfig(),
    VendiConfig(),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setenv("ALLMODES_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, dims: int, seed: int) -> Tensor:
    return torch.randn(n, dims, generator=generator(seed), dtype=torch.float64)


def evaluation(samples: Tensor, real: Tensor, data: Data | None = None, **more: Any) -> Evaluation:
    return Evaluation(samples, data or TensorData(real, test_x=real), Batch(real), generator(), **more)


def score(metric: Metric, samples: Tensor, real: Tensor) -> dict[str, float]:
    return metric.compute(evaluation(samples, real))


# FID


def test_the_frechet_distance_of_gaussians_has_its_closed_form() -> None:
    a, b = (normal(9, 4, seed) for seed in (0, 1))
    cov_x, cov_y, shift = a.T @ a, b.T @ b, torch.arange(4.0).double()
    root = scipy.linalg.sqrtm((cov_x @ cov_y).numpy())
    expected = 14 + float(cov_x.trace() + cov_y.trace()) - 2 * np.trace(root.real)
    assert frechet(shift, cov_x, torch.zeros_like(shift), cov_y) == pytest.approx(expected, rel=1e-9)
    diagonal = torch.tensor([4.0, 9.0]).double().diag()
    assert frechet(shift[:2], diagonal, shift[:2], torch.eye(2).double()) == pytest.approx(1 + 4)


def test_singular_covariances_have_a_frechet_distance() -> None:
    flat, zero = torch.tensor([4.0, 0.0]).double().diag(), torch.zeros(2).double()
    assert frechet(zero, flat, zero, flat) == pytest.approx(0)
    assert frechet(zero, flat, zero, flat.flip(0, 1)) == pytest.approx(8)


class Flat(nn.Module):
    """Features for torchmetrics: the items themselves."""

    num_features = 6

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


def test_fid_is_that_of_torchmetrics_on_the_same_features() -> None:
    image = pytest.importorskip("torchmetrics.image.fid")
    x, y = normal(300, 6, 0), 1.3 * normal(300, 6, 1) + 0.2
    theirs = image.FrechetInceptionDistance(feature=Flat())
    theirs.update(x, real=False)
    theirs.update(y, real=True)
    assert Fid(PIXELS).compare(x, y, generator())["fid"] == pytest.approx(float(theirs.compute()), rel=1e-6)


def test_fid_of_too_few_items_comes_with_a_warning() -> None:
    expected = (
        "^fid_items: 5 items are too few for the covariance of 6 features: raise evaluation.samples, or take features "
        "of fewer dimensions$"
    )
    with pytest.warns(UserWarning, match=expected):
        Fid(PIXELS).compare(normal(5, 6, 0), normal(9, 6, 1), generator())


# KID


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`")
def test_kid_is_that_of_torchmetrics_on_the_same_features() -> None:
    image = pytest.importorskip("torchmetrics.image.kid")
    x, y = normal(80, 6, 0), 1.3 * normal(80, 6, 1) + 0.2
    theirs = image.KernelInceptionDistance(feature=Flat(), subsets=1, subset_size=80)
    theirs.update(x, real=False)
    theirs.update(y, real=True)
    expected = float(theirs.compute()[0])
    ours = Kid(PIXELS, subsets=2, size=1000).compare(x, y, generator())
    assert ours["kid"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("subsets", "size", "told"), [(1, 40, False), (2, 80, False), (2, 1000, False), (2, 79, True)])
def test_the_spread_of_kid_is_withheld_where_nothing_varies(subsets: int, size: int, told: bool) -> None:
    ours = Kid(PIXELS, subsets, size).compare(normal(80, 6, 0), normal(80, 6, 1), generator())
    assert math.isfinite(ours["kid"])
    assert math.isnan(ours["kid_std"]) is not told
    assert told is (ours["kid_std"] > 0)


@pytest.mark.parametrize("far", [0.0, 3.0, 1e6])
def test_kid_is_exact_however_far_the_features_are_from_the_origin(far: float) -> None:
    scale = 1e-2 if far > 10 else 1.0
    x, y = far + scale * normal(9, 3, 0), far + 1.1 * scale * normal(9, 3, 1)
    whole = torch.ones(9, 1).double()
    assert float(polynomial_mmd(x, y, whole, whole)) == pytest.approx(exact_mmd(x, y), rel=1e-9)


def exact_mmd(x: Tensor, y: Tensor) -> float:
    """The definition in fractions, which lose nothing."""
    p, q = ([[Fraction(number) for number in item] for item in side.tolist()] for side in (x, y))

    def kernel(a: list[Fraction], b: list[Fraction]) -> Fraction:
        return (sum((s * t for s, t in zip(a, b, strict=True)), Fraction(0)) / len(a) + 1) ** 3

    n = len(p)
    within = sum(kernel(side[i], side[j]) for side in (p, q) for i in range(n) for j in range(n) if i != j)
    return float(within / Fraction(n * (n - 1)) - 2 * sum(kernel(a, b) for a in p for b in q) / Fraction(n * n))


def test_kid_of_one_distribution_is_zero_on_average() -> None:
    whole = torch.ones(50, 1).double()
    values = [float(polynomial_mmd(normal(50, 3, s), normal(50, 3, 1000 + s), whole, whole)) for s in range(200)]
    assert np.mean(values) == pytest.approx(0, abs=4 * float(np.std(values)) / math.sqrt(200))


def test_kid_of_a_subset_is_that_of_its_items_alone() -> None:
    x, y = normal(2000, 3, 0), normal(2000, 3, 1)
    marks, whole = torch.zeros(2000, 2).double(), torch.ones(40, 1).double()
    marks[:40, 0], marks[1500:1540, 1] = 1, 1
    alone = [float(polynomial_mmd(x[some], y[some], whole, whole)) for some in (slice(40), slice(1500, 1540))]
    assert polynomial_mmd(x, y, marks, marks).tolist() == pytest.approx(alone)


def test_kid_reports_the_spread_of_its_subsets() -> None:
    x, y = normal(200, 3, 0), normal(200, 3, 1)
    ours = Kid(PIXELS, subsets=50, size=40).compare(x, y, generator())
    assert ours["kid_std"] > 0
    assert abs(ours["kid"]) < ours["kid_std"]


# Precision, recall, density, coverage


def brute(x: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    """Whether x (N,) lies in the ball of y (M,), by the definition: (N, M)."""
    radii = [np.sort(np.linalg.norm(y - item, axis=1))[k] for item in y]
    return np.array([[np.linalg.norm(a - b) <= r for b, r in zip(y, radii, strict=True)] for a in x])


def test_precision_and_recall_are_their_definition() -> None:
    x, y = normal(60, 3, 0), 1.5 * normal(70, 3, 1) + 2
    ours = PrecisionRecall(PIXELS).compare(x, y, generator())
    inside, covered = brute(x.numpy(), y.numpy(), 3), brute(y.numpy(), x.numpy(), 3)
    assert ours == pytest.approx({"precision": inside.any(1).mean(), "recall": covered.any(1).mean()})
    assert 0 < ours["recall"] < ours["precision"] < 1  # neither is trivial


def test_precision_and_recall_are_those_of_torch_fidelity() -> None:
    prc = pytest.importorskip("torch_fidelity.metric_prc")
    x, y = normal(300, 5, 0), 1.2 * normal(300, 5, 1) + 0.5
    precision, recall = prc.calculate_precision_recall_full(x, y)
    ours = PrecisionRecall(PIXELS).compare(x, y, generator())
    assert ours == pytest.approx({"precision": precision, "recall": recall})


def test_density_and_coverage_are_their_definition() -> None:
    x, y = normal(60, 3, 0), 1.5 * normal(70, 3, 1) + 1
    inside = brute(x.numpy(), y.numpy(), 5)
    expected = {"density": inside.sum() / (5 * 60), "coverage": inside.any(0).mean()}
    assert DensityCoverage(PIXELS).compare(x, y, generator()) == pytest.approx(expected)


def test_four_points_on_a_line_are_counted_by_hand() -> None:
    real = torch.tensor([[0.0], [1.0], [3.0], [10.0]]).double()  # radii to the nearest other: 1, 1, 2, 7
    samples = torch.tensor([[0.5], [4.0], [20.0]]).double()  # in the balls of (0, 1), (3, 10), none
    density = DensityCoverage(PIXELS, k=1).compare(samples, real, generator())
    assert density == pytest.approx({"density": 4 / 3, "coverage": 1})
    ours = PrecisionRecall(PIXELS, k=1).compare(samples, real, generator())
    assert ours == pytest.approx({"precision": 2 / 3, "recall": 1})  # radii of the samples: 3.5, 3.5, 16


def test_a_perfect_sampler_has_density_one_and_coverage_one_less_two_to_the_minus_k() -> None:
    ours = DensityCoverage(PIXELS).compare(normal(2500, 4, 0), normal(2500, 4, 1), generator())
    assert ours["density"] == pytest.approx(1, abs=0.05)
    assert ours["coverage"] == pytest.approx(1 - 2**-5, abs=0.015)


@pytest.mark.parametrize("far", [0.0, 1e3, 1e6])
@pytest.mark.parametrize("dims", [2, 50])
def test_neighbours_are_the_same_however_far_the_features_are_from_the_origin(far: float, dims: int) -> None:
    """Matrix products of features at 1e6 +- 1e-2 gave precision 1.0 and density 23.2."""
    x, y = (far + 1e-2 * normal(150, dims, seed) for seed in (0, 1))
    inside, covered = (cdist(x, y) <= radii(y, 5)), (cdist(y, x) <= radii(x, 3))
    expected = {"density": inside.sum() / (5 * 150), "coverage": inside.any(0).mean()}
    assert DensityCoverage(PIXELS).compare(x, y, generator()) == pytest.approx(expected)
    ours = PrecisionRecall(PIXELS).compare(x, y, generator())
    assert ours == pytest.approx(
        {"precision": (cdist(x, y) <= radii(y, 3)).any(1).mean(), "recall": covered.any(1).mean()}
    )


def radii(y: Tensor, k: int) -> np.ndarray:
    """Distance (M,) from each item to its k-th nearest other one."""
    return np.sort(cdist(y, y), axis=1)[:, k]


def test_ties_are_inside() -> None:
    """On a lattice most distances are equal to others; with whole numbers their squares are exact."""
    x, y = (torch.randint(0, 4, (200, 12), generator=generator(seed)).double() for seed in (0, 1))
    squares = cdist(x, y, "sqeuclidean").round()
    within = squares <= np.sort(cdist(y, y, "sqeuclidean").round(), axis=1)[:, 5]
    assert (squares == np.sort(cdist(y, y, "sqeuclidean").round(), axis=1)[:, 5]).sum() > 50
    ours = DensityCoverage(PIXELS).compare(x, y, generator())
    assert ours == {"density": within.sum() / 1000, "coverage": within.any(0).mean()}
    away = DensityCoverage(PIXELS).compare(x + 12_345_678, y + 12_345_678, generator())
    assert away == ours


def test_copies_are_at_distance_zero() -> None:
    y = normal(40, 30, 0).repeat(10, 1) + 100  # ten of each: every ball has radius 0
    ours = DensityCoverage(PIXELS).compare(y[:40], y, generator())
    assert ours == {"density": 2, "coverage": 1}
    assert DensityCoverage(PIXELS).compare(y[:40] + 1e-9, y, generator()) == {"density": 0, "coverage": 0}


@pytest.mark.parametrize("far", [0.0, 1e4])
def test_the_nearest_item_is_found_however_near_the_second_is(far: float) -> None:
    items = far + normal(500, 20, 0)
    twins = items + 1e-6 * normal(500, 20, 1)
    cloud = Cloud(torch.cat([twins, items]))
    found = torch.cat([squares.nearest() for squares in cloud.squares(items)])
    assert torch.equal(found, torch.arange(500) + 500)
    first = torch.cat([squares.nearest() for squares in Cloud(items.repeat(3, 1)).squares(items)])
    assert torch.equal(first, torch.arange(500))


# Sliced Wasserstein


@pytest.mark.parametrize(("p", "expected"), [(1, 0.75), (2, math.sqrt(0.625))])
def test_the_sliced_distance_on_a_line_is_the_distance_there(p: int, expected: float) -> None:
    x, y = torch.tensor([[0.0], [1.0]]).double(), torch.tensor([[0.5], [2.0]]).double()
    ours = SlicedWasserstein(PIXELS, 10, p).compare(x, y, generator())
    assert ours == pytest.approx({f"sliced_w{p}": expected})


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize(("n", "dims"), [(2, 1), (300, 2), (100, 64)])
def test_the_sliced_distance_is_that_of_pot(n: int, dims: int, p: int) -> None:
    x, y, directions = normal(n, dims, 0), 1 + 2 * normal(n, dims, 1), normal(dims, 50, 2)
    directions /= directions.norm(dim=0)
    theirs = ot.sliced.sliced_wasserstein_distance(x, y, projections=directions, p=p)
    assert sliced_wasserstein(x, y, directions, p) == pytest.approx(float(theirs), rel=1e-12)


def test_the_sliced_distance_of_a_shift_is_its_root_mean_square_projection() -> None:
    x, shift = normal(50, 4, 0), torch.tensor([3.0, 0, 4, 0]).double()
    ours = SlicedWasserstein(PIXELS, 4000).compare(x, x + shift, generator())["sliced_w2"]
    assert ours == pytest.approx(5 / math.sqrt(4), rel=0.03)


# Vendi


@pytest.mark.parametrize(("x", "expected"), [(torch.ones(7, 3), 1), (torch.eye(5), 5), (torch.eye(3).repeat(4, 1), 3)])
def test_the_vendi_score_counts_orthogonal_samples(x: Tensor, expected: float) -> None:
    assert vendi(x.double()) == pytest.approx(expected)


def test_the_vendi_score_is_the_entropy_of_the_full_kernel() -> None:
    x = normal(40, 6, 0)
    kernel = np.corrcoef(x.numpy()) * 0 + np.array([[a @ b / (a.norm() * b.norm()) for b in x] for a in x])
    shares = np.linalg.eigvalsh(kernel / 40)
    shares = shares[shares > 1e-12]
    assert vendi(x) == pytest.approx(math.exp(-(shares * np.log(shares)).sum()))


# All of them


@pytest.mark.parametrize("config", ON_PIXELS, ids=lambda config: config.kind)
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_samples_that_are_not_finite_have_no_numbers(config: MetricConfig, broken: float) -> None:
    samples = normal(300, 2, 0).float()
    samples[5] = broken
    numbers = score(config.build(), samples, normal(300, 2, 1).float())
    assert numbers.keys() == config.numbers().keys()
    assert all(math.isnan(value) for value in numbers.values())


@pytest.mark.parametrize("config", ON_PIXELS, ids=lambda config: config.kind)
def test_collapsed_samples_are_told_from_real_ones(config: MetricConfig) -> None:
    x, y, metric = normal(300, 2, 0).float(), normal(300, 2, 1).float(), config.build()
    good, bad = score(metric, x, y), score(metric, torch.ones(300, 2), y)
    assert good.keys() == config.numbers().keys()
    key = next(iter(good)) if "density" not in next(iter(good)) else "coverage_items"
    if "precision_items" in good:
        key = "recall_items"
    worse = bad[key] > good[key] if config.numbers()[key].better == "lower" else bad[key] < good[key]
    assert worse


@pytest.mark.parametrize("config", ON_PIXELS[1:], ids=lambda config: config.kind)
def test_two_samples_do_not_break_a_metric(config: MetricConfig) -> None:
    numbers = score(config.build(), torch.randn(2, 2, generator=generator()), torch.zeros(2, 2))
    assert numbers.keys() == config.numbers().keys()


def test_each_space_is_built_and_applied_once() -> None:
    class Counted(ItemsConfig):
        kind: Any = "counted"

        def build(self, data: Any) -> Any:
            calls.append("built")
            module = nn.Flatten()
            module.register_forward_hook(lambda *_: calls.append("applied"))
            return module

    calls: list[str] = []
    counted = Counted()
    metrics = build_metrics([FidConfig(features=counted), KidConfig(features=counted), FidConfig(features=PIXELS)])
    assert list(metrics) == ["fid_counted", "kid_counted", "fid_items"]
    x, y = normal(50, 2, 0).float(), normal(50, 2, 1).float()
    data = TensorData(y, test_x=y)
    for _ in range(2):
        shared = evaluation(x, y, data)
        for metric in metrics.values():
            metric.compute(shared)
    assert calls == ["built", "applied", "applied", "applied", "applied"]  # samples and real items, twice


def test_samples_may_be_compared_with_items_trained_on() -> None:
    trained, held_out = torch.zeros(50, 1), torch.full((50, 1), 3.0)
    data = TensorData(trained, test_x=held_out)
    numbers = [
        SlicedWassersteinConfig().build().compute(evaluation(trained, held_out, data)),
        Fid(PIXELS).compute(evaluation(trained, held_out, data)),
        Fid(PIXELS, reference="train").compute(evaluation(trained, held_out, data)),
    ]
    assert [next(iter(each.values())) for each in numbers] == pytest.approx([3, 9, 0])


def test_the_accuracy_of_the_classifier_stands_beside_what_it_measures() -> None:
    data = digits()
    numbers = Fid(QUICK).compute(evaluation(data.x[:300], data.test_x[:300], data))
    assert numbers.keys() == {"fid_classifier", "classifier_accuracy"}
    assert numbers["classifier_accuracy"] > 0.9


def test_floors_leave_out_what_real_data_cannot_score() -> None:
    x = normal(100, 2, 0).float()
    found = measure_floors([Fid(PIXELS), Ivom(), Clustering("encoder")], TensorData(x, test_x=x), 40)
    assert found.keys() == {"fid_items"}


# IvOM


class Linear(nn.Module):
    """An image of two pixels from one number: z a."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([3.0, 4.0]))

    def forward(self, z: Tensor) -> Tensor:
        return (z * self.a).reshape(-1, 1, 1, 2)


class Standard(Prior):
    dim = 1

    def forward(self, noise: Noise, n: int, given: Given = {}) -> Latent:  # noqa: B006
        return Latent(noise.normal("z", n, 1))


def test_the_best_latent_of_a_linear_generator_is_the_least_squares_one() -> None:
    modules = {"prior": Standard(), "generator": Linear()}
    x = normal(20, 2, 0).float().reshape(20, 1, 1, 2)
    off = x.flatten(1) @ torch.tensor([4.0, -3.0]) / 5  # distance from the line
    expected = float((off.square() / 2 / 4).mean())  # per pixel, on [0, 1]
    found = Ivom(images=20).compute(evaluation(x, x, modules=modules))
    assert found == pytest.approx({"ivom": expected}, rel=1e-4)
    assert modules["generator"].a.grad is None


class Valleys(nn.Module):
    """The item 1 is given exactly at z = 1 and approached to a half at z = -1: what is found depends on the start."""

    def forward(self, z: Tensor) -> Tensor:
        return torch.where(z > 0, 1 - (z - 1).square(), 0.5 - (z + 1).square())


def test_the_best_restart_of_each_item_counts() -> None:
    modules, x = {"prior": Standard(), "generator": Valleys()}, torch.ones(30, 1)
    once, often = (Ivom(30, restarts).compute(evaluation(x, x, modules=modules))["ivom"] for restarts in (1, 12))
    assert once > 0.05
    assert often == pytest.approx(0, abs=0.02)


def test_a_generator_of_no_finite_items_has_no_error() -> None:
    class Broken(Linear):
        def forward(self, z: Tensor) -> Tensor:
            return super().forward(z) * math.nan

    x = torch.zeros(4, 1, 1, 2)
    found = Ivom().compute(evaluation(x, x, modules={"prior": Standard(), "generator": Broken()}))
    assert math.isnan(found["ivom"])


def test_ivom_needs_a_generator() -> None:
    with pytest.raises(ValueError) as refusal:
        score(Ivom(), torch.zeros(2, 1), torch.zeros(2, 1))
    assert str(refusal.value) == "metric ivom: the evaluation has no generator"


# Clustering


def labelled(output: Any, labels: Tensor, classes: int = 3) -> Evaluation:
    x = torch.zeros(len(labels), 1)
    data = TensorData(x, labels, x, labels, classes)
    return Evaluation(x, data, Batch(x, labels), generator(), encode=lambda name, x: output)


def test_accuracy_is_that_of_the_best_naming_of_clusters() -> None:
    clusters, labels = (torch.randint(4, (60,), generator=generator(seed)) for seed in (0, 1))
    best = max((torch.tensor(naming)[clusters] == labels).double().mean() for naming in permutations(range(4)))
    assert agreement(clusters, labels)["acc"] == pytest.approx(float(best))


def test_agreement_is_counted_by_hand() -> None:
    clusters, labels = torch.tensor([0, 0, 0, 1, 1, 1]), torch.tensor([0, 0, 1, 1, 1, 1])
    numbers = agreement(clusters, labels)
    assert (numbers["acc"], numbers["purity"]) == (5 / 6, 5 / 6)
    more = agreement(torch.arange(6), labels)  # a cluster for each item
    assert (more["acc"], more["purity"]) == (2 / 6, 1)


def test_renamed_clusters_agree_perfectly() -> None:
    labels = torch.tensor([0, 0, 1, 2, 2, 1])
    scores = torch.eye(3)[torch.tensor([2, 0, 1])[labels]]
    numbers = Clustering("encoder").compute(labelled(scores, labels))
    assert numbers == pytest.approx({"acc_argmax": 1, "purity_argmax": 1, "nmi_argmax": 1, "ari_argmax": 1})


def test_a_code_is_clustered_by_k_means() -> None:
    labels = torch.arange(3).repeat(20)
    code = 10.0 * labels[:, None] + normal(60, 1, 0).float()
    numbers = Clustering("encoder", part="code", by="kmeans").compute(labelled({"code": code}, labels))
    assert numbers == pytest.approx({"acc_kmeans": 1, "purity_kmeans": 1, "nmi_kmeans": 1, "ari_kmeans": 1})


@pytest.mark.parametrize(
    ("output", "part"), [(torch.eye(3), None), ((0, torch.eye(3)), 1), (Latent(torch.eye(3)), "z")]
)
def test_a_part_of_the_output_is_chosen_by_position_or_name(output: Any, part: Any) -> None:
    assert Clustering("encoder", part).compute(labelled(output, torch.arange(3)))["acc_argmax"] == 1


@pytest.mark.parametrize("part", [None, 5, "mode"])
def test_a_part_that_is_not_there_is_named(part: Any) -> None:
    with pytest.raises(ValueError) as refusal:
        Clustering("encoder", part).compute(labelled((1, 2), torch.arange(3)))
    assert str(refusal.value) == (
        f"metric clustering: auxiliary 'encoder' gives no tensor as part {part!r}: set part to a position or a name in "
        "its tuple"
    )


def test_scores_that_are_not_finite_have_no_agreement() -> None:
    numbers = Clustering("encoder").compute(labelled(torch.full((3, 3), math.nan), torch.arange(3)))
    assert all(math.isnan(value) for value in numbers.values())


# In a spec


def spec(metrics: list[Any], **changes: Any) -> Mapping[str, Any]:
    return {**SPEC, "evaluation": {**SPEC["evaluation"], "metrics": metrics}, **changes}


def refused(metrics: list[Any], **changes: Any) -> str:
    with pytest.raises(SpecError) as refusal:
        Experiment.from_spec(spec(metrics, **changes))
    return str(refusal.value)


def test_one_metric_may_use_several_spaces() -> None:
    wanted = [{"kind": "fid", "features": {"kind": "classifier"}}, "fid", "kid"]
    assert list(Experiment.from_spec(spec(wanted)).resources.metrics) == ["fid_classifier", "fid_items", "kid_items"]


def test_a_metric_that_would_write_the_same_keys_is_refused() -> None:
    wanted = [{"kind": "fid", "features": {"kind": "random_conv", "seed": i}} for i in range(2)]
    assert refused(wanted) == "spec: evaluation.metrics.1: fid_random_conv is already listed: list it once"


def test_clusters_need_an_auxiliary_that_is_there() -> None:
    assert refused([{"kind": "clustering", "auxiliary": "encoder"}]) == (
        "spec: evaluation.metrics.0.auxiliary: there is no auxiliary 'encoder': take one of those defined (none)"
    )


def test_stacked_modes_need_stacked_digits() -> None:
    assert refused(["stacked_mnist"]) == (
        "spec: evaluation.metrics.0: stacked_mnist measures data of kind stacked_mnist, not ring: remove it"
    )


def test_what_a_metric_lacks_is_said_before_a_run_begins(tmp_path: Any) -> None:
    wanted = [{"kind": "fid", "features": {"kind": "random_conv"}}]
    with pytest.raises(DataError) as refusal:
        Experiment.from_spec(spec(wanted), folder=tmp_path / "runs", track=False).run()
    assert str(refusal.value).startswith("features random_conv: needs images (C, H, W)")
    assert not (tmp_path / "runs").exists()


def test_a_run_measures_with_features_and_writes_the_floors(tmp_path: Any) -> None:
    wanted = [
        *({"kind": kind, "features": {"kind": "items"}} for kind in ("fid", "kid", "density_coverage", "vendi")),
        {"kind": "fid", "features": RandomConvConfig().model_dump()}, {"kind": "ivom", "images": 4, "iterations": 5},
    ]  # fmt: skip
    changes = {"data": {"kind": "digits"}, "training": {**SPEC["training"], "iterations": 10}}
    results = Experiment.from_spec(spec(wanted, **changes), folder=tmp_path, track=False).run()
    keys = {"fid_items", "kid_items", "kid_std_items", "density_items", "coverage_items", "vendi_items"}
    assert set(results.floors) == keys | {"fid_random_conv"}
    assert set(results.metrics) == keys | {"fid_random_conv", "ivom"}
    assert results.mean("fid_items") > 5 * results.floors["fid_items"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("nan", "gives features that are not finite, of items that are"),
        ("one less", "gives features of shape (29, 2): give one row for each of 30 items"),
        ("flat", "gives features of shape (30,): give one row for each of 30 items"),
        ("none", "gives None for 30 items: give a tensor (30, F)"),
    ],
)
def test_features_that_are_no_rows_of_numbers_are_named(fault: str, message: str) -> None:
    registry = registry_of(SquaresConfig)
    assert registry.plugins
    metrics = build_metrics([FidConfig(features=SquaresConfig(fault=fault))])
    x = torch.randn(30, 2)
    said = list[str]()
    evaluation = Evaluation(x, TensorData(x), Batch(x), torch.Generator())
    assert measure(metrics, evaluation, said.append) == {}
    (name,) = metrics
    features = "features (acme.squares, allmodes-acme 1.0)"
    assert said == [f"metric {name} (allmodes 0.1.0): {features}: {message}: its numbers are left out"]
