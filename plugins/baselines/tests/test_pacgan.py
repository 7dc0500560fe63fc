"""PacGAN's recipes: what the discriminator sees, and the paper's settings."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from allmodes.testing import Composition, compose, load_spec, make_step

B = 8
SMALL = ("training.batch_size=8", "generator.hidden=[6]", "generator.batch_norm=false", "discriminator.hidden=[5]")


def judged(composition: Composition, items: Tensor) -> Tensor:
    """D on items (B, 2): neighbours side by side, 5 linear pieces for each of 5 units, the largest of them."""
    a, b, c, d = composition.modules["discriminator"].parameters()
    pairs = torch.stack([torch.cat((items[i], items[i + 1])) for i in range(0, B, 2)])  # (B/2, 4)
    return (pairs @ a.T + b).view(B // 2, 5, 5).max(2).values @ c.T + d


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_one_verdict_on_two_items_enters_the_losses_and_the_gradients(player: str) -> None:
    composition = compose("baselines/pacgan2-ring", *SMALL)
    x, z = torch.randn(B, 2), torch.randn(B, 2)
    step = make_step(composition, x, {"latent/code": z})
    a, b, c, d = composition.modules["generator"].parameters()
    fake = judged(composition, (z @ a.T + b).clamp_min(0) @ c.T + d)
    real = judged(composition, x)
    by_hand = {
        "discriminator": softplus(-real).mean() + softplus(fake).mean(),
        "generator": softplus(-fake).mean(),
    }[player]
    mine = composition.objective(player, step)
    torch.testing.assert_close(mine, by_hand)
    own = composition.parameters(player)
    torch.testing.assert_close(torch.autograd.grad(mine, own), torch.autograd.grad(by_hand, own))


@pytest.mark.parametrize("name", ["pacgan2-ring", "pacgan2-grid"])
def test_the_recipes_have_the_papers_networks_and_training(name: str) -> None:
    spec = load_spec(f"baselines/{name}")
    modules = compose(spec).modules
    assert layers(modules["generator"]) == [(2, 400), (400, 400), (400, 400), (400, 400), (400, 2)]
    assert layers(modules["discriminator"]) == [(4, 1000), (200, 1000), (200, 1000), (200, 1)]  # 5 pieces a unit
    assert (spec.training.iterations, spec.training.batch_size // 2) == (400_000, 100)  # 100 packs
    assert spec.training.optimizer.model_dump(include={"lr", "betas"}) == {"lr": 1e-4, "betas": (0.8, 0.999)}


def layers(module: nn.Module) -> list[tuple[int, int]]:
    return [(m.in_features, m.out_features) for m in module.modules() if isinstance(m, nn.Linear)]
