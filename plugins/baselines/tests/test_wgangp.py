"""WGAN-GP's recipes against the paper's loss and the toy script's settings."""

import pytest
import torch
from torch import Tensor

from allmodes.testing import compose, load_spec, make_step

B = 8
SMALL = ("generator.hidden=[6]", "discriminator.hidden=[5]", "discriminator.activation=tanh")


def test_the_critic_lowers_the_distance_and_the_slopes_distance_from_one() -> None:
    composition = compose("baselines/wgangp-ring", *SMALL)
    x, z, t = torch.randn(B, 2), torch.randn(B, 2), torch.rand(B)
    step = make_step(composition, x, {"latent/code": z, "between": t})
    D, y = composition.parameters("discriminator"), composition.modules["generator"](z)
    a, b, c, d = D

    def score(items: Tensor) -> Tensor:
        return torch.tanh(items @ a.T + b) @ c.T + d

    between = t[:, None] * x + (1 - t[:, None]) * y
    # The slope in closed form: the derivative of tanh is 1 - tanh^2.
    slope = ((c * (1 - torch.tanh(between @ a.T + b) ** 2)) @ a).norm(dim=1)
    expected = score(y).mean() - score(x).mean() + 0.1 * (slope - 1).square().mean()
    mine = composition.objective("discriminator", step)
    torch.testing.assert_close(mine, expected)
    gradients = (torch.autograd.grad(loss, D[:-1]) for loss in (mine, expected))  # the last bias cancels out
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(composition.objective("generator", step), -score(y).mean())


@pytest.mark.parametrize("name", ["ring", "grid"])
def test_the_recipes_have_the_toy_scripts_settings(name: str) -> None:
    spec = load_spec(f"baselines/wgangp-{name}")
    training = spec.training
    assert (training.iterations, training.batch_size, training.discriminator_updates) == (100_000, 256, 5)
    assert training.optimizer.model_dump(include={"lr", "betas"}) == {"lr": 1e-4, "betas": (0.5, 0.9)}
    assert [spec.generator.model_dump()["hidden"], spec.discriminator.model_dump()["hidden"]] == [(512,) * 3] * 2


@pytest.mark.parametrize(("name", "deviation"), [("ring", 2 / 1.414), ("grid", 4 / 2.828)])
def test_the_recipes_data_are_at_the_toy_scripts_scale(name: str, deviation: float) -> None:
    data = load_spec(f"baselines/wgangp-{name}").data
    assert max(abs(x) for centre in data.centres() for x in centre) == pytest.approx(deviation, rel=1e-3)
    assert data.stds() * {"ring": 1.414, "grid": 2.828}[name] == pytest.approx({"ring": 0.02, "grid": 0.05}[name], 1e-3)
