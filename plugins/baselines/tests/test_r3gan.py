"""R3GAN's recipes: the relativistic game with both penalties, and the burn-in."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from allmodes import at
from allmodes.testing import compose, load_spec, make_optimizers, make_step

B, BURN_IN = 8, 6000
SMALL = ("prior.dim=3", "generator.hidden=[6]", "discriminator.hidden=[5]", "discriminator.activation=tanh")
RECIPES = ["baselines/r3gan-ring", "baselines/r3gan-grid"]


@pytest.mark.parametrize(("iteration", "gamma"), [(0, 1.0), (1, None), (3000, 0.55), (6000, 0.1), (20_000, 0.1)])
def test_both_players_objectives_are_the_papers_at_every_time_of_the_burn_in(
    iteration: int, gamma: float | None
) -> None:
    if gamma is None:
        gamma = 1 - 0.9 * (1 - math.cos(math.pi * iteration / BURN_IN)) / 2
    composition = compose("baselines/r3gan-ring", *SMALL)
    x, z = torch.randn(B, 2), torch.randn(B, 3)
    step = make_step(composition, x, {"latent/code": z}, iteration)
    D, y = composition.parameters("discriminator"), composition.modules["generator"](z)
    a, b, c, d = D

    def score(items: Tensor) -> Tensor:
        return torch.tanh(items @ a.T + b) @ c.T + d

    def slope(items: Tensor) -> Tensor:
        return ((c * (1 - torch.tanh(items @ a.T + b) ** 2)) @ a).norm(dim=1)

    penalties = gamma / 2 * (slope(x).square().mean() + slope(y).square().mean())
    expected = softplus(-(score(x) - score(y))).mean() + penalties
    mine = composition.objective("discriminator", step)
    torch.testing.assert_close(mine, expected)
    gradients = (torch.autograd.grad(loss, D[:-1], retain_graph=True) for loss in (mine, expected))
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(composition.objective("generator", step), softplus(-(score(y) - score(x))).mean())


@pytest.mark.parametrize("name", RECIPES)
def test_adam_has_no_momentum_and_a_second_moment_that_grows_longer(name: str) -> None:
    composition = compose(name)
    for iteration, beta2 in ((0, 0.9), (BURN_IN // 2, 0.945), (BURN_IN, 0.99), (29_999, 0.99)):
        for optimizer in make_optimizers(composition, iteration).values():
            assert optimizer.param_groups[0]["betas"] == pytest.approx((0.0, beta2))
            assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * (1 - iteration / 30_000))


@pytest.mark.parametrize("name", RECIPES)
def test_the_average_begins_as_the_weights_and_keeps_more_until_the_burn_in_ends(name: str) -> None:
    ema = load_spec(name).training.ema
    assert ema is not None
    assert [at(ema.decay, i) for i in (0, BURN_IN, 29_999)] == pytest.approx([0, 0.995, 0.995])


@pytest.mark.parametrize("name", RECIPES)
def test_the_penalties_are_taken_at_every_step(name: str) -> None:
    assert [(term.kind, term.every) for term in load_spec(name).losses] == [
        ("relativistic", 1),
        ("r1", 1),
        ("r2", 1),
    ]
