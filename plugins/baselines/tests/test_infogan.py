"""InfoGAN against its definition: the latent, the bound by torch's distributions, and who is trained by it."""

import math
import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Normal, Uniform

from allmodes import CompositionError, Latent, SpecError, seeded
from allmodes.testing import check_turns_under_vmap, compose, find_gradients, load_spec, make_step, take_turn
from allmodes_baselines.infogan import InfoLatent, Posterior, entropy, log_category

B = 8
MLP = {"kind": "mlp", "hidden": [8], "activation": "tanh"}
INFORMATION = "baselines.information"
SPEC: Mapping[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "baselines.info_latent", "noise_dim": 3, "modes": 4, "style_dim": 2},
    "generator": MLP,
    "discriminator": MLP,
    "auxiliaries": {"q": {"kind": "baselines.q_head", "network": MLP, "variance": "learned"}},
    "losses": [{"kind": "non_saturating"}, {"kind": INFORMATION}],
    "training": {"iterations": 2, "batch_size": B, "device": "cpu"},
}
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))


def test_the_latent_is_uniform_noise_an_even_category_and_a_uniform_style() -> None:
    latent = InfoLatent(noise_dim=3, modes=4, style_dim=2)(seeded(0), 20_000)
    torch.testing.assert_close(latent.z, torch.cat([latent.part(n) for n in ("noise", "mode", "style")], 1))
    assert torch.equal(latent.code, latent.z)
    torch.testing.assert_close(latent.part("mode").mean(0), torch.full((4,), 0.25), atol=0.02, rtol=0)
    for name in ("noise", "style"):
        part = latent.part(name)
        assert -1 <= float(part.min()) < -0.99 < 0.99 < float(part.max()) < 1
        torch.testing.assert_close(part.var(0), torch.full((part.shape[1],), 1 / 3), atol=0.01, rtol=0)


def test_parts_that_are_given_are_held_fixed() -> None:
    style, noise = torch.full((5, 2), 0.5), torch.full((5, 3), -0.25)
    latent = InfoLatent(3, 4, 2)(seeded(0), 5, {"style": style, "noise": noise})
    assert torch.equal(latent.z[:, :3], noise)
    assert torch.equal(latent.z[:, -2:], style)


# The bound


def by_distributions(q: Posterior, latent: Latent) -> Tensor:
    style = Normal(q.mean, (0.5 * q.log_var).exp()).log_prob(latent.part("style")).sum(1)
    log_likelihood = Categorical(logits=q.mode).log_prob(latent.part("mode").argmax(1)) + style
    prior = Categorical(torch.full((4,), 0.25)).entropy() + 2 * Uniform(-1.0, 1.0).entropy()
    return -(log_likelihood.mean() + prior)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_the_term_is_minus_the_bound_with_the_gradient_that_the_distributions_have(player: str) -> None:
    composition = compose(SPEC)
    step = make_step(composition, X)
    value = composition.terms[INFORMATION].loss(step, player)
    G, D, Q = (composition.modules[name] for name in ("generator", "discriminator", "q"))
    features = D(G(step.latent.z))[1]
    expected = by_distributions(Q(features), step.latent)
    torch.testing.assert_close(value, expected)
    names = ("generator", "discriminator", "q")
    found, wanted = find_gradients(value, composition, *names), find_gradients(expected, composition, *names)
    for name in names:
        torch.testing.assert_close(found[name], wanted[name])
    assert all(g is not None and g.any() for name in ("generator", "q") for g in found[name])


def test_with_a_q_that_knows_the_category_the_term_is_minus_its_entropy() -> None:
    latent = InfoLatent(noise_dim=1, modes=4, style_dim=0)(seeded(0), 50)
    bound = log_category(1e4 * latent.part("mode"), latent).mean() + entropy(torch.full((4,), 0.25))
    assert float(bound) == pytest.approx(math.log(4))


def test_a_q_that_knows_nothing_finds_no_information_and_no_q_finds_more_than_the_entropy() -> None:
    latent = InfoLatent(noise_dim=1, modes=4, style_dim=0)(seeded(0), 50)
    ignorant = log_category(torch.zeros(50, 4), latent).mean() + entropy(torch.full((4,), 0.25))
    assert float(ignorant) == pytest.approx(0, abs=1e-6)
    for seed in range(20):
        logits = 10 * torch.randn(50, 4, generator=torch.Generator().manual_seed(seed))
        assert float(log_category(logits, latent).mean()) <= 0


def test_the_variance_is_one_unless_it_is_learned() -> None:
    fixed = compose({**SPEC, "auxiliaries": {"q": {"kind": "baselines.q_head", "network": MLP}}})
    q = make_step(fixed, X).auxiliary("q", "fake")
    assert torch.equal(q.log_var, torch.zeros(B, 2))
    assert [part.shape[1] for part in q] == [4, 2, 2]
    assert make_step(compose(SPEC), X).auxiliary("q", "fake").log_var.any()


# Who is trained


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_a_players_turn_moves_its_network_and_q(player: str) -> None:
    assert take_turn(compose(SPEC), player, X) == {player, "q"}


def test_eager_turns_equal_pure_ones_under_vmap() -> None:
    check_turns_under_vmap(compose(SPEC), 2)


# What is refused


CHANGES = {
    "no head": {"auxiliaries": {}},
    "no category": {"prior": {"kind": "gaussian", "dim": 5}},
    "another auxiliary": {"auxiliaries": {"q": {"kind": "baselines.cluster_encoder"}}},
}
MESSAGES = {
    "no head": "baselines.information needs an auxiliary that maps data to mode; none is defined: add "
    "auxiliaries.q: {kind: baselines.q_head}",
    "no category": "baselines.information needs a latent part 'mode', which prior gaussian does not have: add prior: "
    "{kind: baselines.info_latent}",
    "another auxiliary": "baselines.information reads the style that a baselines.q_head estimates, and auxiliary 'q' "
    "(baselines.cluster_encoder) does not: add auxiliaries.q: {kind: baselines.q_head}",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_spec_that_lacks_a_part_of_infogan_is_refused_with_the_line_to_add(change: str) -> None:
    with pytest.raises(SpecError, match=re.escape(MESSAGES[change])):
        load_spec({**SPEC, **CHANGES[change]})


def test_a_head_beside_a_latent_without_modes_is_refused() -> None:
    message = "baselines.q_head estimates modes, which the prior lacks: take prior: {kind: baselines.info_latent}"
    with pytest.raises(CompositionError, match=re.escape(message)):
        compose({**SPEC, "prior": {"kind": "gaussian"}, "losses": [{"kind": "non_saturating"}]})
