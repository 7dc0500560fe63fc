"""Truncated latents against the closed forms of truncated distributions."""

from statistics import NormalDist
from typing import Any

import pytest
import torch

from allmodes import Fitting, GaussianConfig, Prior, UniformConfig, seeded
from allmodes_baselines.configs.deligan import MixtureOfGaussiansConfig
from allmodes_baselines.configs.truncated import TruncatedConfig

N = 40_000
NORMAL = NormalDist()


def built(**settings: Any) -> Prior:
    torch.manual_seed(0)
    prior: Prior = TruncatedConfig(**settings).build()
    prior.fit(Fitting(None, seeded(0)))  # type: ignore[arg-type]
    return prior


def variance(c: float) -> float:
    """The variance of N(0, 1) within [-c, c]."""
    return 1 - 2 * c * NORMAL.pdf(c) / (2 * NORMAL.cdf(c) - 1)


@pytest.mark.parametrize("by", ["items", "entries"])
@pytest.mark.parametrize("c", [1.0, 2.0])
def test_a_truncated_gaussian_has_its_closed_variance(by: str, c: float) -> None:
    z = built(prior=GaussianConfig(dim=2), bound=c, by=by, draws=30)(seeded(0), N).z
    assert float(z.abs().max()) <= c
    torch.testing.assert_close(z.mean(0), torch.zeros(2), rtol=0, atol=0.02)
    torch.testing.assert_close(z.var(0), torch.full((2,), variance(c)), rtol=0.03, atol=0)


def test_a_truncated_uniform_latent_is_uniform_within_the_bound() -> None:
    z = built(prior=UniformConfig(dim=1), bound=0.5, draws=30)(seeded(0), N).z
    assert float(z.abs().max()) <= 0.5
    shares = torch.histc(z, 5, -0.5, 0.5) / N
    torch.testing.assert_close(shares, torch.full((5,), 0.2), rtol=0, atol=0.01)


def test_the_smaller_of_two_bounds_decides_around_a_truncated_latent() -> None:
    inner = TruncatedConfig(prior=GaussianConfig(dim=1), bound=2.0, draws=30)
    for outer in (1.0, 3.0):
        z = built(prior=inner, bound=outer, draws=30)(seeded(0), N).z
        assert float(z.var()) == pytest.approx(variance(min(outer, 2.0)), rel=0.03)


def test_without_a_draw_within_the_bound_the_smallest_is_taken() -> None:
    prior, noise = built(prior=GaussianConfig(dim=2), bound=1e-6, draws=3), seeded(0)
    z = prior(noise, 50).z
    drawn = torch.stack([prior.prior(noise.at(f"draw{i}"), 50).z for i in range(3)])  # type: ignore[operator]
    smallest = drawn.abs().amax(2).argmin(0)
    assert torch.equal(z, drawn[smallest, torch.arange(50)])


def test_the_first_draw_within_the_bound_is_taken_with_all_its_parts() -> None:
    prior, noise = built(prior=MixtureOfGaussiansConfig(dim=2, modes=4), bound=0.6, draws=5), seeded(0)
    with torch.no_grad():
        latent = prior(noise, 50)
        drawn = [prior.prior(noise.at(f"draw{i}"), 50) for i in range(5)]  # type: ignore[operator]
    for row in range(50):
        within = [draw for draw in drawn if float(draw.z[row].abs().max()) <= 0.6]
        if within:
            assert torch.equal(latent.z[row], within[0].z[row])
            assert torch.equal(latent.part("mode")[row], within[0].part("mode")[row])


def test_a_mode_that_is_held_fixed_stays_so() -> None:
    latent = built(prior=MixtureOfGaussiansConfig(dim=2, modes=4), bound=0.3, draws=3)(seeded(0), 50, {"mode": 2})
    assert (latent.part("mode").argmax(1) == 2).all()


@pytest.mark.parametrize("by", ["items", "entries"])
def test_a_part_that_is_held_fixed_beyond_the_bound_stays_as_it_is(by: str) -> None:
    nuisance = torch.full((50, 1), 5.0)
    prior = built(prior=GaussianConfig(dim=2, nuisance_dim=1), bound=1.0, by=by)
    latent = prior(seeded(0), 50, {"nuisance": nuisance})
    assert torch.equal(latent.part("nuisance"), nuisance)
    assert torch.equal(latent.z, torch.cat([latent.code, nuisance], 1))


def test_biggans_trick_truncates_samples_and_leaves_training_alone() -> None:
    prior, plain = built(prior=GaussianConfig(dim=2), bound=0.5, training=False), GaussianConfig(dim=2).build()
    assert torch.equal(prior.train()(seeded(0), N).z, plain(seeded(0), N).z)
    assert float(prior.eval()(seeded(0), N).z.var()) < 0.3


def test_what_the_latent_inside_offers_holds_where_training_sees_all_of_it() -> None:
    mixture = MixtureOfGaussiansConfig(dim=3, modes=4)
    assert TruncatedConfig(prior=mixture).offers == ()
    assert TruncatedConfig(prior=mixture, training=False).offers == mixture.offers
    assert torch.equal(built(prior=mixture, training=False).offer("weights"), torch.full((4,), 0.25))


def test_it_answers_for_the_latent_inside() -> None:
    config = TruncatedConfig(prior=MixtureOfGaussiansConfig(dim=3, modes=4))
    assert config.parts() == {"code": 3, "mode": 4}
    assert config.size() == 3
    assert config.trained_by == ("generator",)
