"""Draws against the stated geometry, nearest points against brute force, and the scores of perfect samplers."""

import math
import subprocess
import sys
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from scipy.stats import chi, kstest
from torch import Tensor

from allmodes import Batch, Data, Evaluation, ModesConfig, equal_coverage
from allmodes_benchmarks.configs.arcs import ArcsConfig
from allmodes_benchmarks.configs.curves import CurvesConfig
from allmodes_benchmarks.configs.mixture import RandomMixtureConfig
from allmodes_benchmarks.configs.roll import SwissRollConfig
from allmodes_benchmarks.configs.spirals import SpiralsConfig
from allmodes_benchmarks.configs.sprites import SpritesConfig
from allmodes_benchmarks.geometry.random import Stream, radius, rotation
from allmodes_benchmarks.truths.sprites import Sprites

COVERAGE = 1 - math.exp(-4.5)
N = 10_000
STREAM = [0.6035851804178997, 0.2758441009213053, 0.14112345315239772]
MEAN = [0.201603, -0.680145]
CURVES = [
    ArcsConfig(),
    ArcsConfig(arcs=9, seed=1, segments=1, dims=10),
    SpiralsConfig(),
    SpiralsConfig(arms=1, turns=3, seed=1, segments=1),
    SpiralsConfig(arms=4, turns=0.7, seed=4, dims=5),
]
ROLLS = [SwissRollConfig(), SwissRollConfig(dims=10, seed=1, modes=40)]
SPRITES = [SpritesConfig(), SpritesConfig(size=16, shapes=8, scales=2, seed=1)]
ALL = [
    RandomMixtureConfig(seed=3),
    RandomMixtureConfig(dims=10, modes=(3, 4), width_ratio=5),
    RandomMixtureConfig(dims=50, modes=50, weight_ratio=20),
    *CURVES,
    *ROLLS,
    *SPRITES,
]


def drawn(data: Data, n: int = N, seed: int = 0) -> Batch:
    return data.held_out(n, torch.Generator().manual_seed(seed))


def scores(data: Data, samples: Tensor) -> dict[str, float]:
    evaluation = Evaluation(samples, data, drawn(data, 8), torch.Generator().manual_seed(0))
    return ModesConfig().build().compute(evaluation)


def floor(radius: float, dims: int) -> float:
    """What is left of the variance of a normal variable within a radius."""
    from scipy.stats import chi2

    return float(chi2.cdf(radius**2, dims + 2) / chi2.cdf(radius**2, dims))


@pytest.mark.parametrize("config", ALL, ids=repr)
def test_a_perfect_sampler_has_the_scores_that_closed_forms_say(config: Any) -> None:
    data = config.build()
    batch = drawn(data)
    assert data.truth is not None
    mode, good = data.truth.modes_of(batch.x)
    assert torch.equal(mode[good], batch.labels[good])  # type: ignore[index]
    found, modes = scores(data, batch.x), data.classes or 0
    free = math.prod(config.shape()) - isinstance(config, CurvesConfig | SpritesConfig)
    assert found["high_quality"] == pytest.approx(COVERAGE, abs=4 * math.sqrt(COVERAGE * (1 - COVERAGE) / N))
    assert (found["modes"], found["high_quality_radius"]) == (modes, equal_coverage(free))
    assert found["kl"] < modes / N
    assert found["variance_ratio"] == pytest.approx(
        floor(equal_coverage(free), free), abs=4 * math.sqrt(2 / (N * free))
    )
    assert torch.allclose(data.shares(), data.truth.weights.double(), atol=1e-4)


@pytest.mark.parametrize("config", ALL[:-2], ids=repr)
def test_data_are_about_zero_at_a_scale_of_one(config: Any) -> None:
    x = drawn(config.build()).x
    assert float(x.square().mean().sqrt()) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("config", CURVES, ids=repr)
def test_distances_from_curves_have_the_chi_distribution_and_places_are_uniform(config: Any) -> None:
    truth = config.build().truth
    x = truth.draw(N, torch.Generator().manual_seed(0)).x.double()
    _, distance = truth.nearest(x)
    assert kstest(distance / truth.std, chi(config.dims - 1).cdf).pvalue > 1e-3
    curve, s, _ = truth.plane.nearest((x @ truth.frame.double())[:, :2])
    assert kstest(s / truth.plane.lengths.double()[curve], "uniform").pvalue > 1e-3


@pytest.mark.parametrize("config", CURVES, ids=repr)
def test_the_nearest_point_of_a_curve_is_that_of_brute_force(config: Any) -> None:
    plane = config.truth().plane
    p = 3 * torch.randn(500, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    curve, s, distance = plane.nearest(p)
    steps, curves = 20_001, len(plane.lengths)
    which = torch.arange(curves).repeat_interleave(steps)
    along = plane.lengths.double()[which] * torch.linspace(0, 1, steps, dtype=torch.float64).repeat(curves)
    points = plane.place(which, along)[0].double()
    nearest = torch.cdist(p, points, compute_mode="donot_use_mm_for_euclid_dist").min(1)
    step = float(plane.lengths.max()) / (steps - 1)
    assert (distance - nearest.values).abs().max() < step  # at an end, else far less
    assert ((p - plane.place(curve, s)[0]).norm(dim=1) - distance).abs().max() < 1e-5
    assert (distance <= nearest.values + 1e-6).all()


@pytest.mark.parametrize("config", CURVES, ids=repr)
def test_tubes_of_high_quality_are_separated_as_stated(config: Any) -> None:
    """Even at `separation` times the radius, from either side, the nearest point is the one that noise began from."""
    plane = config.truth().plane
    farthest = 0.99 * config.separation * config.truth().radius * config.truth().std
    curve = torch.arange(len(plane.lengths)).repeat_interleave(500)
    s = plane.lengths[curve] * torch.linspace(0, 1, 500).repeat(len(plane.lengths))
    point, normal = (part.double() for part in plane.place(curve, s))
    for side in (farthest, -farthest):
        found, place, distance = plane.nearest(point + side * normal)
        assert torch.equal(found, curve)
        assert (place - s).abs().max() < 1e-4
        assert (distance - farthest).abs().max() < 1e-5


@pytest.mark.parametrize("config", ALL[:3], ids=repr)
def test_balls_of_high_quality_are_separated_as_stated(config: RandomMixtureConfig) -> None:
    truth = config.truth()
    apart = torch.cdist(truth.means.double(), truth.means.double(), compute_mode="donot_use_mm_for_euclid_dist")
    touching = truth.radius * (truth.stds[:, None] + truth.stds)
    apart.fill_diagonal_(math.inf)
    assert float((apart / touching).min()) == pytest.approx(config.separation, rel=1e-4)
    assert float(truth.stds.max() / truth.stds.min()) == pytest.approx(config.width_ratio, rel=1e-4)
    assert float(truth.weights.max() / truth.weights.min()) == pytest.approx(config.weight_ratio, rel=1e-4)


@pytest.mark.parametrize("config", ROLLS, ids=repr)
def test_a_roll_is_unrolled_to_the_mixture_that_was_rolled(config: SwissRollConfig) -> None:
    truth = config.truth()
    flat = truth.mixture.draw(N, torch.Generator().manual_seed(0)).x.double()
    assert (truth.unrolled(truth.rolled(flat.float()).double()) - flat).abs().max() < 2e-5
    # What is farther along the sheet than in space is not taken for near.
    centres, places = truth.landmarks(), truth.mixture.means
    in_space, along = (torch.cdist(at, at, compute_mode="donot_use_mm_for_euclid_dist") for at in (centres, places))
    assert (in_space <= along + 1e-5).all()
    assert float((along / in_space).nan_to_num().max()) > 3


@pytest.mark.parametrize("config", ROLLS, ids=repr)
def test_arc_lengths_of_a_roll_are_lengths(config: SwissRollConfig) -> None:
    """By many small steps."""
    roll = config.truth().roll
    s = torch.linspace(0, 5, 20_001, dtype=torch.float64)
    points, normals = roll.place(torch.zeros(len(s), dtype=torch.long), s)
    steps = points.diff(dim=0)
    assert steps.norm(dim=1).cumsum(0) == pytest.approx(s[1:].numpy(), abs=1e-5)
    assert (steps * normals[1:]).sum(1).abs().max() / steps.norm(dim=1).mean() < 1e-2
    assert torch.allclose(normals.norm(dim=1), torch.ones(len(s), dtype=torch.float64))


@pytest.mark.parametrize("config", SPRITES, ids=repr)
def test_the_nearest_template_is_that_of_brute_force_over_brightnesses(config: SpritesConfig) -> None:
    truth = config.truth()
    x = 2 * torch.rand(10, math.prod(truth.shape), generator=torch.Generator().manual_seed(0)).double() - 1
    brightness = torch.linspace(0.5, 1, 501, dtype=torch.float64)[:, None, None]
    grid = -0.8 + 1.6 * brightness * truth.masks.flatten(1)[None, :32]
    part = Sprites(truth.masks[:32], truth.std)
    mode, distance = part.nearest(x)
    for item, k, d in zip(x, mode, distance, strict=True):
        apart = (grid - item).norm(dim=2).amin(0)
        assert (int(apart.argmin()), float(apart.min())) == (int(k), pytest.approx(float(d), abs=1e-4))


@pytest.mark.parametrize("options", [{"separation": 5}, {"separation": 4, "size": 16, "scales": 2, "positions": 2}])
def test_regions_of_sprites_are_separated_as_stated(options: dict[str, Any]) -> None:
    """The closest two items of different modes, by brute force over both brightnesses."""
    config = SpritesConfig(**options)
    truth = config.truth()
    faint, light = (1.6 * b * truth.masks.flatten(1).double() for b in (0.5, 1.0))
    between = torch.linspace(0.5, 1, 101, dtype=torch.float64)
    others = (1.6 * between[:, None, None] * truth.masks.flatten(1)).flatten(0, 1)
    same = torch.arange(len(faint))[:, None] == torch.arange(len(faint)).repeat(101)
    closest = min(float(torch.cdist(one, others).masked_fill(same, math.inf).min()) for one in (faint, light))
    assert closest / (2 * truth.radius * truth.std) == pytest.approx(config.separation, rel=1e-3)


def test_sprites_are_images_whose_brightness_is_uniform() -> None:
    batch = drawn(data := SpritesConfig(size=16, shapes=8, scales=2, seed=1).build())
    assert data.classes == 8 * 16 * 2
    assert float(batch.x.abs().max()) <= 1.02
    brightness = data.truth.brightness(batch.x.flatten(1).double()).gather(1, batch.labels[:, None])[:, 0]  # type: ignore
    assert kstest(2 * brightness - 1, "uniform").pvalue > 1e-3


def test_clusters_of_a_hierarchy_are_apart() -> None:
    """Within a cluster no two modes are as far apart as it is from another cluster."""
    means = RandomMixtureConfig(modes=(4, 5, 3), seed=1).truth().means.view(4, 15, 2)
    within = max(float(torch.cdist(cluster, cluster).max()) for cluster in means)
    apart = min(float(torch.cdist(means[i], means[j]).min()) for i in range(4) for j in range(i))
    inner = means.view(20, 3, 2)[:5]
    assert within <= apart
    assert max(float(torch.cdist(c, c).max()) for c in inner) <= min(
        float(torch.cdist(inner[i], inner[j]).min()) for i in range(5) for j in range(i)
    )


def test_a_thousand_rare_wide_and_narrow_modes_in_50_dimensions_take_seconds_and_little_memory() -> None:
    import resource
    import time

    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    data = RandomMixtureConfig(dims=50, modes=1000, width_ratio=10, seed=5).build()
    batch = drawn(data)
    mode, good = data.truth.modes_of(batch.x)  # type: ignore[union-attr]
    assert torch.equal(mode[good], batch.labels[good])  # type: ignore[index]
    assert time.process_time() - start < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KB


@pytest.mark.parametrize("config", ALL, ids=repr)
def test_another_seed_is_another_geometry_and_another_items_seed_other_items(config: Any) -> None:
    one, geometry = config.build(), config.model_copy(update={"seed": 99}).build()
    items = config.model_copy(update={"items_seed": 1}).build()
    assert len({one.fingerprint, geometry.fingerprint, items.fingerprint}) == 3
    assert not torch.equal(one.truth.landmarks(), geometry.truth.landmarks())
    assert torch.equal(one.truth.landmarks(), items.truth.landmarks())
    assert not torch.equal(one.x, items.x)
    assert torch.equal(one.truth.to("cpu").landmarks(), one.truth.landmarks())


def test_streams_are_the_same_on_every_machine() -> None:
    """PCG64's raw output is NumPy's promise; these numbers are those of the first release."""
    assert Stream("means", 0).uniform(3).tolist() == pytest.approx(STREAM, abs=1e-15)
    assert RandomMixtureConfig().truth().means[0].tolist() == pytest.approx(MEAN, abs=1e-6)


def test_random_numbers_and_rotations_are_what_they_are_called() -> None:
    stream = Stream("test", 0)
    assert kstest(stream.uniform(5000), "uniform").pvalue > 0.01
    assert kstest(stream.normal(5000), "norm").pvalue > 0.01
    turned = rotation(stream, 20)
    assert turned @ turned.T == pytest.approx(torch.eye(20).numpy(), abs=1e-12)
    assert radius(10) == pytest.approx(equal_coverage(10), rel=1e-11)


def test_options_are_checked_before_torch_is_loaded() -> None:
    code = (
        "import sys, allmodes; from allmodes_benchmarks.configs.arcs import ArcsConfig as A;"
        "from allmodes_benchmarks.configs.mixture import RandomMixtureConfig as M;"
        "from allmodes_benchmarks.configs.roll import SwissRollConfig as R;"
        "from allmodes_benchmarks.configs.spirals import SpiralsConfig as S;"
        "A(dims=5).outline(); S().outline(); R().outline(); M(modes=(2, 3)).gaussians()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modes": 1}, "1 modes in all: take 2 to 10,000"),
        ({"modes": (500, 500)}, "250,000 modes in all: take 2 to 10,000"),
        ({"modes": 10, "weight_ratio": 1e6}, "items is 8192, which leaves mode"),
    ],
)
def test_options_that_make_no_mixture_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        RandomMixtureConfig(**options)
    assert message in str(refusal.value)


def test_glyphs_that_have_too_few_places_are_refused() -> None:
    with pytest.raises(ValidationError) as refusal:
        SpritesConfig(scales=2)
    assert "glyphs of scale 2 have 3 places along an axis of 8 px: set positions to 3 or less" in str(refusal.value)
