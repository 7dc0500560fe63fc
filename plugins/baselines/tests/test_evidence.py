"""The evidence bound against its formula, a closed form, and the contracts of a term."""

import math
import re
from typing import Any

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from allmodes import Gaussian, SpecError
from allmodes.testing import LossTermContract, check_turns_under_vmap, compose, find_gradients, load_spec, make_step
from allmodes_baselines.configs.evidence import EvidenceBoundConfig
from allmodes_baselines.evidence import divergence

B = 8
MLP = {"kind": "mlp", "hidden": [5], "activation": "tanh"}
TERM = "baselines.evidence_bound"
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "data": {"kind": "ring"},
        "prior": {"kind": "gaussian", "dim": 3},
        "generator": MLP,
        "discriminator": MLP,
        "auxiliaries": {"encoder": {"kind": "baselines.encoder", "network": MLP}},
        "losses": [{"kind": "non_saturating"}, {"kind": TERM, "std": 0.5}],
        "training": {"batch_size": B},
        **changes,
    }


SPEC = spec()


class TestEvidenceBound(LossTermContract):
    config = EvidenceBoundConfig()
    spec = SPEC
    reaches = {"generator": {"generator", "encoder"}}


def test_the_divergence_is_that_of_normal_distributions() -> None:
    mean, log_variance = torch.randn(2, B, 3, dtype=torch.float64)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(3), torch.ones(3))).sum(1)
    torch.testing.assert_close(divergence(Gaussian(mean, log_variance)), expected)


@pytest.mark.parametrize("nuisance", [0, 2])
def test_the_term_is_both_parts_over_all_entries_and_reaches_generator_and_encoder(nuisance: int) -> None:
    composition = compose(spec(prior={"kind": "gaussian", "dim": 3, "nuisance_dim": nuisance}))
    step = make_step(composition, X)
    mine = composition.terms[TERM].loss(step, "generator")
    G, E = composition.modules["generator"], composition.modules["encoder"]
    drawn = step.noise.drawn
    code = E(X).mean + (E(X).log_variance / 2).exp() * drawn["encoder/real/epsilon"]
    z = torch.cat([code, drawn["prior/baselines.again/nuisance"]], 1) if nuisance else code
    squares = (G(z) - X).square().sum(1)
    expected = (squares / (2 * 0.5**2) + divergence(E(X))).mean() / 2
    torch.testing.assert_close(mine, expected)
    for name in ("generator", "encoder"):
        found, wanted = (find_gradients(value, composition, name)[name] for value in (mine, expected))
        torch.testing.assert_close(found, wanted)
        assert all(g is not None and g.any() for g in found)


def test_it_bounds_the_likelihood_of_a_linear_generator_and_is_tight_at_its_posterior() -> None:
    """x = a z + s e: the evidence is N(0, a^2 + s^2), the posterior a normal distribution."""
    a, s, x = 0.8, 0.5, torch.linspace(-2, 2, 5, dtype=torch.float64)
    variance = s**2 / (a**2 + s**2)
    mean = a * x / (a**2 + s**2)
    expected_squares = (x - a * mean) ** 2 + a**2 * variance
    found = Gaussian(mean[:, None], torch.full((5, 1), math.log(variance), dtype=torch.float64))
    bound = expected_squares / (2 * s**2) + math.log(s * math.sqrt(2 * math.pi)) + divergence(found)
    torch.testing.assert_close(bound, -Normal(0.0, math.sqrt(a**2 + s**2)).log_prob(x))


def test_turns_of_stacked_seeds_are_those_of_each_seed() -> None:
    check_turns_under_vmap(compose(spec()), 2)


def test_it_needs_no_game() -> None:
    values = spec(losses=[{"kind": TERM}])
    del values["discriminator"]
    check_turns_under_vmap(compose(values), 2)


def test_another_prior_and_another_encoder_are_refused() -> None:
    message = "baselines.evidence_bound draws codes to the standard normal distribution, not to uniform: take {kind: ga"
    with pytest.raises(SpecError, match=re.escape(message)):
        load_spec(spec(prior={"kind": "uniform", "dim": 3}))
    with pytest.raises(SpecError, match="needs an auxiliary that maps data to code as gaussian"):
        load_spec(spec(auxiliaries={"encoder": {"kind": "baselines.encoder", "network": MLP, "noise": "none"}}))
