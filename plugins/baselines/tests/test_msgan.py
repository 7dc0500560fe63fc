"""MSGAN's term against its formula."""

import pytest
import torch
from torch import Tensor

from allmodes import Step
from allmodes.testing import Composition, compose, make_step

B, TERM = 8, "baselines.mode_seeking"


def composed(weight: float = 1.0, **generator: object) -> Composition:
    return compose(
        {
            "name": "tiny",
            "data": {"kind": "ring"},
            "prior": {"kind": "gaussian", "dim": 2},
            "generator": {"kind": "mlp", "hidden": [5], "activation": "tanh"} | generator,
            "discriminator": {"kind": "mlp", "hidden": [5]},
            "losses": [{"kind": "non_saturating"}, {"kind": TERM, "weight": weight}],
        },
        double=True,
    )


def drawn(composition: Composition) -> tuple[Step, Tensor, Tensor]:
    """A step, and the two latents that it draws."""
    generator = torch.Generator().manual_seed(1)
    x, z1, z2 = (torch.randn(B, 2, generator=generator, dtype=torch.float64) for _ in range(3))
    return make_step(composition, x, {"latent/code": z1, "mode_seeking/latent/code": z2}), z1, z2


def term(composition: Composition, step: Step) -> Tensor:
    return composition.terms[TERM].loss(step, "generator")


def test_the_term_is_one_over_the_ratio_of_the_mean_absolute_differences() -> None:
    composition = composed()
    step, z1, z2 = drawn(composition)
    a, b, c, d = G = list(composition.modules["generator"].parameters())
    y1, y2 = (torch.tanh(z @ a.T + b) @ c.T + d for z in (z1, z2))
    expected = 1 / ((y1 - y2).abs().sum() / (z1 - z2).abs().sum() + 1e-5)  # both sums have 2 B entries
    mine = term(composition, step)
    torch.testing.assert_close(mine, expected)
    gradients = (torch.autograd.grad(loss, G[:-1]) for loss in (mine, expected))  # the last bias cancels out
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("scale", [0.0, 0.5, -3.0])
def test_a_generator_that_stretches_the_latent_has_the_inverse_of_its_factor_as_loss(scale: float) -> None:
    """G(z) = scale * z + 1 has the ratio |scale|; a generator that gives one item alone has 0."""
    composition = composed(hidden=())
    step, _, _ = drawn(composition)
    weight, bias = composition.modules["generator"].parameters()
    weight.data, bias.data = scale * torch.eye(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    assert float(term(composition, step).detach()) == pytest.approx(1 / (abs(scale) + 1e-5))


def test_lambda_is_the_terms_weight_and_only_the_generator_feels_it() -> None:
    composition = composed(weight=0.3)
    step, _, _ = drawn(composition)
    game, seeking = composition.terms["non_saturating"].loss, composition.terms[TERM].loss
    total = composition.objective("generator", step)
    torch.testing.assert_close(total, game(step, "generator") + 0.3 * seeking(step, "generator"))
    assert [t.name for t in composition.served["discriminator"]] == ["non_saturating"]
