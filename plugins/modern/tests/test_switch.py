"""The generator that jumps against closed forms: its likelihood, its draws, where it begins, and the coupling."""

from itertools import permutations

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from allmodes import DataError, SpecError
from allmodes.testing import Composition, compose, make_step
from allmodes_modern.coupling import Coupling, couple
from allmodes_modern.starts import axes, choose
from allmodes_modern.switch import Switch

SMALL = ("generator.experts=3", "generator.network.hidden=[8]", "data.items=64")


def composed(*more: str) -> tuple[Composition, Switch]:
    """On the ring, with unequal widths, in float64."""
    composition = compose("modern/switch-ring", *SMALL, *more, double=True)
    switch = composition.modules["generator"]
    assert isinstance(switch, Switch)
    switch.head.log_scales.data = torch.tensor([0.3, -0.5, 0.1]).double()
    return composition, switch


def mixture(switch: Switch, z: torch.Tensor) -> MixtureSameFamily:
    """p(x | z) in the data's units, by torch."""
    shares, means, widths = switch.head.mixture(switch.trunk.network.trunk(z[:, :2]))
    head, scale = switch.head, widths[:, None] * switch.head.std
    normals = Independent(Normal(means * head.std + head.mean, scale.expand_as(means)), 1)
    return MixtureSameFamily(Categorical(logits=shares), normals)


def test_the_likelihood_is_that_of_a_mixture_in_units_of_the_axes() -> None:
    _, switch = composed()
    z, x = torch.randn(6, 5).double(), torch.randn(6, 2).double()
    expected = mixture(switch, z).log_prob(x) + switch.head.std.log().sum()
    torch.testing.assert_close(switch.log_likelihood(z, x), expected)


def test_the_noise_of_a_latent_has_no_part_in_the_likelihood() -> None:
    _, switch = composed()
    z, x = torch.randn(6, 5).double(), torch.randn(6, 2).double()
    other = torch.cat((z[:, :2], torch.randn(6, 3).double()), 1)
    torch.testing.assert_close(switch.log_likelihood(z, x), switch.log_likelihood(other, x))


def test_draws_have_the_mean_and_the_covariance_of_the_mixture() -> None:
    _, switch = composed()
    n, z = 200_000, torch.randn(1, 2).double()
    drawn = switch(torch.cat((z.expand(n, 2), torch.randn(n, 3).double()), 1))
    p = mixture(switch, torch.cat((z, torch.zeros(1, 3).double()), 1))
    error = p.variance[0].sqrt() / n**0.5
    assert ((drawn.mean(0) - p.mean[0]).abs() < 5 * error).all()
    torch.testing.assert_close(drawn.var(0), p.variance[0], rtol=0.03, atol=0)


def test_the_choice_follows_the_shares_exactly() -> None:
    _, switch = composed()
    z = torch.randn(1, 2).double()
    shares, means, _ = switch.head.mixture(switch.trunk.network.trunk(z))
    first, second = shares[0].exp().cumsum(0)[:2].tolist()
    levels = [first - 1e-6, first + 1e-6, second - 1e-6, second + 1e-6, 1 - 1e-9]
    eta = torch.special.ndtri(torch.tensor(levels).double())
    drawn = switch(torch.cat((z.expand(5, 2), eta[:, None], torch.zeros(5, 2).double()), 1))
    expected = means[0][[0, 1, 1, 2, 2]] * switch.head.std + switch.head.mean
    torch.testing.assert_close(drawn, expected)


def test_experts_begin_at_items_as_wide_as_what_is_near() -> None:
    x = torch.tensor([[0.0, 0.0], [0.0, 2.0], [10.0, 0.0], [10.0, 4.0], [99.0, 99.0]])
    centres, widths = choose(x, 3, 0)
    assert all(any(torch.equal(c, item) for item in x) for c in centres)
    by_place = {float(c[0]): float(w) for c, w in zip(centres, widths, strict=True)}
    near, far, alone = by_place[0.0], by_place[10.0], by_place[99.0]
    assert near == pytest.approx(1.0)  # of two items one is at 0, one at 2: a mean square of 2, over two axes
    assert far == pytest.approx(2.0)
    assert alone == pytest.approx(((1 + 4 + 0) / 3) ** 0.5)  # it has no surroundings: the mean of all


def test_more_experts_than_items_are_refused() -> None:
    message = "^modern.switch: 6 experts begin at as many items, and there are 5: set fewer experts$"
    with pytest.raises(DataError, match=message):
        choose(torch.randn(5, 2), 6, 0)


def test_an_axis_without_variation_keeps_its_unit() -> None:
    mean, std = axes(torch.tensor([[1.0, 7.0], [3.0, 7.0]]))
    assert (mean.tolist(), std.tolist()) == ([2.0, 7.0], [1.0, 1.0])


def test_a_block_is_coupled_at_the_least_cost_of_all_permutations() -> None:
    z, x = torch.randn(10, 3), torch.randn(10, 3)
    order = couple(z, x, 5)
    for block in (slice(0, 5), slice(5, 10)):
        costs = [float((z[block] - x[block][list(p)]).square().sum()) for p in permutations(range(5))]
        assert float((z[block] - x[order[block]]).square().sum()) == pytest.approx(min(costs))
    assert sorted(order[:5].tolist()) == list(range(5))


def test_blocks_of_one_couple_at_random() -> None:
    assert couple(torch.randn(4, 2), torch.randn(4, 2), 1).tolist() == [0, 1, 2, 3]


def test_the_loss_is_the_surprise_about_the_items_of_the_latents() -> None:
    composition, switch = composed("losses.0.block=8")
    term, coupling = composition.terms["modern.coupling"], composition.modules["losses/modern.coupling"]
    assert isinstance(coupling, Coupling)
    step = make_step(composition, torch.randn(7, 2).double(), {"modern.coupling/pair": torch.arange(7) / 64 + 1e-4})
    x, z = coupling.items[:7], coupling.latents[:7]
    expected = -(mixture(switch, z).log_prob(x) + switch.head.std.log().sum()).mean() / 2
    torch.testing.assert_close(term.loss(step, "generator"), expected)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("prior.nuisance_dim=2", "modern.switch takes 3 entries of the latent as noise, which are its nuisance: take "),
        ("generator={kind: mlp}", "modern.coupling needs the likelihood of a generator, which mlp has not: take "),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_take(override: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        compose("modern/switch-ring", override)
