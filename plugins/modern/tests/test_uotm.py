"""UOTM's conjugates against their definition, and its game against a closed form."""

from collections.abc import Callable
from math import log

import pytest
import torch
from torch import Tensor

from allmodes.testing import compose, make_step
from allmodes_modern.uotm import CONJUGATES, Uotm

ENTROPIES: dict[str, Callable[[Tensor], Tensor]] = {
    "kl": lambda t: torch.special.xlogy(t, t) - t + 1,
    "chi2": lambda t: (t - 1).square(),
    # Of softplus scaled by 2, on [0, 2]: the entropy of a share of t / 2, whose least value is at t = 1.
    "softplus": lambda t: torch.special.xlogy(t, t / 2) + torch.special.xlogy(2 - t, 1 - t / 2) + 2 * log(2),
}


@pytest.mark.parametrize("name", ENTROPIES)
@pytest.mark.parametrize("s", [-5.0, -2.0, -0.5, 0.0, 0.7, 1.5])
def test_a_conjugate_is_the_largest_gap_below_a_line(name: str, s: float) -> None:
    """Psi*(s) = sup over t >= 0 of s t - Psi(t), where Psi is 0 at equal masses (t = 1)."""
    t = torch.linspace(0, 2 if name == "softplus" else 10, 200_001, dtype=torch.float64)
    largest = (s * t - ENTROPIES[name](t)).max()
    value = CONJUGATES[name](torch.tensor(s, dtype=torch.float64))
    torch.testing.assert_close(value, largest, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("name", CONJUGATES)
def test_a_conjugate_weighs_an_item_by_one_at_zero_and_never_less_than_nothing(name: str) -> None:
    s = torch.tensor([0.0, -10.0, -1.0, 3.0], requires_grad=True)
    value = CONJUGATES[name](s)
    (slope,) = torch.autograd.grad(value.sum(), s)
    assert (value[0].item(), slope[0].item()) == pytest.approx((0, 1))
    assert (slope >= 0).all()


@pytest.mark.parametrize(("source", "target"), [("kl", "chi2"), ("identity", "identity"), ("softplus", "kl")])
@pytest.mark.parametrize("pack", [1, 2])
def test_both_players_lower_their_side_of_equation_9(source: str, target: str, pack: int) -> None:
    B, tau = 6, 0.3
    linear = f"discriminator={{kind: mlp, hidden: [], pack: {pack}}}"
    composition = compose("modern/uotm-ring", "generator={kind: mlp, hidden: [3]}", linear)
    x, z, n = torch.randn(B, 2), torch.randn(B, 2), torch.randn(B, 2)
    step = make_step(composition, x, {"latent/code": z, "latent/nuisance": n})
    y = composition.modules["generator"](torch.cat((z, n), 1))
    w, b = composition.parameters("discriminator")
    v_x, v_y = ((items.reshape(B // pack, -1) @ w.T + b).squeeze(1) for items in (x, y))
    left = tau * (z - y).square().sum(1).reshape(-1, pack).sum(1) - v_y
    game = Uotm(tau, source, target)
    value = CONJUGATES[source](-left).mean() + CONJUGATES[target](-v_x).mean()
    torch.testing.assert_close(game.discriminator(step), value)
    torch.testing.assert_close(game.generator(step), left.mean())
