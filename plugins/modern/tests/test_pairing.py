"""The pairing term against its formula and its bounds."""

from math import log

import pytest
import torch
from torch import Tensor

from allmodes import Step
from allmodes.testing import Composition, compose, make_step
from allmodes_modern.pairing import Pairing

B = 6
SMALL = (
    "generator={kind: mlp, hidden: []}",
    "discriminator.hidden=[4]",
    "auxiliaries.matcher.network={kind: mlp, hidden: []}",
)


def drawn(scale: float, back: float) -> tuple[Composition, Step, Tensor]:
    """A step with G(z) = scale z and M(y) = back y, and z."""
    composition = compose("modern/pairing-ring", *SMALL)
    for name, factor in (("generator", scale), ("matcher", back)):
        weight, bias = composition.modules[name].parameters()
        weight.data, bias.data = factor * torch.eye(2), torch.zeros(2)
    z = torch.randn(B, 2, generator=torch.Generator().manual_seed(3))
    return composition, make_step(composition, torch.zeros(B, 2), {"latent/code": z}), z


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_the_term_is_the_cross_entropy_of_an_items_own_code(temperature: float) -> None:
    _, step, z = drawn(2.0, 0.75)
    likelihoods = [[torch.exp(-((1.5 * a - b) ** 2).sum() / (2 * temperature**2)) for b in z] for a in z]
    expected = -torch.stack([torch.log(row[i] / sum(row)) for i, row in enumerate(likelihoods)]).mean()
    torch.testing.assert_close(Pairing("matcher", temperature).pairing(step), expected)


@pytest.mark.parametrize("back", [0.0, 1.0, -4.0])
def test_a_generator_of_one_item_alone_pays_log_b_at_least(back: float) -> None:
    _, step, _ = drawn(0.0, back)
    assert float(Pairing("matcher", 1.0).pairing(step).detach()) >= log(B) - 1e-6


def test_a_generator_that_is_undone_pays_nothing_at_a_low_temperature() -> None:
    _, step, _ = drawn(0.25, 4.0)
    assert float(Pairing("matcher", 0.01).pairing(step).detach()) == pytest.approx(0, abs=1e-6)


def test_generator_and_matcher_are_trained_by_it() -> None:
    composition, step, _ = drawn(0.5, 1.0)
    gradients = torch.autograd.grad(Pairing("matcher", 1.0).pairing(step), composition.parameters("generator"))
    assert all(g.abs().max() > 0 for g in gradients)
