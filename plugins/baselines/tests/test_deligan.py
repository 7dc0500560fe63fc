"""DeLiGAN against its definition: the mixture's moments, its gradients by finite differences, the term on widths."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from allmodes import Noise, SpecError, seeded
from allmodes.testing import (
    Composition,
    check_turns_under_vmap,
    compose,
    find_gradients,
    load_spec,
    make_step,
    take_turn,
)
from allmodes_baselines.deligan import MixtureOfGaussians

B = 8
MLP = {"kind": "mlp", "hidden": [8], "activation": "tanh"}
WIDTH = "baselines.width"
SPEC: Mapping[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "baselines.mixture_of_gaussians", "dim": 3, "modes": 4, "sigma": 0.2},
    "generator": MLP,
    "discriminator": MLP,
    "losses": [{"kind": "non_saturating"}, {"kind": WIDTH, "weight": 0.1}],
    "training": {"iterations": 2, "batch_size": B, "device": "cpu"},
}
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))


def test_means_begin_evenly_between_minus_one_and_one_and_widths_at_the_first_width() -> None:
    torch.manual_seed(0)
    prior = MixtureOfGaussians(dim=100, modes=100, sigma=0.02)
    mu = prior.mu.detach()
    assert float(mu.abs().max()) <= 1
    assert float(mu.mean()) == pytest.approx(0, abs=0.02)
    assert float(mu.var()) == pytest.approx(1 / 3, abs=0.01)
    assert torch.equal(prior.sigma, torch.full((100, 100), 0.02))


def test_each_component_has_its_mean_and_width_and_the_mixture_the_moments_that_follow() -> None:
    prior = MixtureOfGaussians(dim=3, modes=4)
    with torch.no_grad():
        prior.sigma.copy_(torch.rand(4, 3, generator=torch.Generator().manual_seed(1)))
        each = [prior(seeded(k), 20_000, {"mode": k}).z for k in range(4)]
        z = prior(seeded(9), 40_000).z
    for k in range(4):
        torch.testing.assert_close(each[k].mean(0), prior.mu[k].detach(), atol=0.03, rtol=0)
        torch.testing.assert_close(each[k].std(0), prior.sigma[k].detach(), atol=0.02, rtol=0)
    torch.testing.assert_close(z.mean(0), prior.mu.mean(0).detach(), atol=0.03, rtol=0)
    variance = (prior.sigma.square().mean(0) + prior.mu.var(0, unbiased=False)).detach()  # within, and of the means
    torch.testing.assert_close(z.var(0), variance, atol=0.03, rtol=0)


# Gradients


def objective(composition: Composition, noise: Noise) -> Tensor:
    return composition.objective("generator", make_step(composition, X.double(), noise))


@pytest.mark.parametrize("name", ["mu", "sigma"])
def test_the_generators_objective_reaches_means_and_widths_as_finite_differences_say(name: str) -> None:
    composition, drawn = compose(SPEC, double=True), seeded(1)
    drawn.normal("latent/eps", B, 3)
    noise = Noise(drawn.generator, {"latent/eps": drawn.drawn["latent/eps"].double()})
    parameter = getattr(composition.modules["prior"], name)
    (gradient,) = torch.autograd.grad(objective(composition, noise), parameter)
    differences, h = torch.zeros(parameter.numel(), dtype=torch.float64), 1e-6
    entries = parameter.data.view(-1)
    for place in range(parameter.numel()):
        values = []
        for shift in (h, -2 * h):
            entries[place] += shift
            values.append(float(objective(composition, noise).detach()))
        entries[place] += h
        differences[place] = (values[0] - values[1]) / (2 * h)
    assert gradient.any()
    torch.testing.assert_close(gradient.flatten(), differences, rtol=1e-5, atol=1e-8)


def test_the_term_on_widths_is_the_mean_square_of_their_distance_from_one_and_reaches_them_alone() -> None:
    composition = compose(SPEC)
    prior = composition.modules["prior"]
    with torch.no_grad():
        prior.sigma.copy_(torch.rand(4, 3, generator=torch.Generator().manual_seed(1)))
    value = composition.terms[WIDTH].loss(make_step(composition, X), "generator")
    assert float(value.detach()) == pytest.approx(sum((1 - s) ** 2 for s in prior.sigma.flatten().tolist()) / 12)
    found = find_gradients(value, composition, "prior", "generator", "discriminator")
    assert found["prior"][0] is None
    torch.testing.assert_close(found["prior"][1], 2 * (prior.sigma.detach() - 1) / 12)
    assert {g for name in ("generator", "discriminator") for g in found[name]} == {None}


# Who is trained


def test_the_generators_turn_moves_generator_and_prior_and_the_discriminators_itself() -> None:
    assert take_turn(compose(SPEC), "generator", X) == {"generator", "prior"}
    assert take_turn(compose(SPEC), "discriminator", X) == {"discriminator"}


def test_eager_turns_equal_pure_ones_under_vmap() -> None:
    check_turns_under_vmap(compose(SPEC), 2)


def test_the_toys_have_the_authors_width_and_weight() -> None:
    for name in ("ring", "grid"):
        spec = load_spec(f"baselines/deligan-{name}")
        assert (spec.prior.sigma, spec.prior.modes) == (0.02, 50)
        assert next(term.weight for term in spec.losses if term.kind == WIDTH) == 0.1


def test_widths_without_a_learned_mixture_are_refused_with_the_line_to_take() -> None:
    message = (
        "baselines.width needs a prior that offers sigma, which gaussian does not: add prior: "
        "{kind: baselines.mixture_of_gaussians}"
    )
    with pytest.raises(SpecError, match=re.escape(message)):
        load_spec({**SPEC, "prior": {"kind": "gaussian"}})
