"""Drifting Models' field and loss against closed forms."""

from math import exp, sqrt

import pytest
import torch
from torch import Tensor

from allmodes import Step
from allmodes.testing import compose, make_step
from allmodes_modern.drifting import Drifting, field

B = 8


def drawn(y: Tensor, x: Tensor) -> Step:
    """A step whose generated items are y (B, 2), and the data x."""
    composition = compose("modern/drifting-ring", "generator={kind: mlp, hidden: []}", "prior={kind: gaussian, dim: 2}")
    weight, bias = composition.modules["generator"].parameters()
    weight.data, bias.data = torch.eye(2), torch.zeros(2)
    return make_step(composition, x, {"latent/code": y})


def data_and_items(seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(B, 2, generator=generator), 3 * torch.randn(B, 2, generator=generator)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_two_items_on_two_data_drift_apart_as_worked_out_by_hand(temperature: float) -> None:
    """With q = exp(-2a/T), the weights of one's own datum, of the other's and of the other item are A, q A and R."""
    a = 0.7
    q = exp(-2 * a / temperature)
    own, repelling = 1 / sqrt((1 + 2 * q) * (1 + q)), sqrt(q / (1 + 2 * q))
    x = torch.tensor([[-a], [a]])
    v = field(x, x, x, temperature)
    torch.testing.assert_close(v, torch.tensor([[-1.0], [1.0]]) * 2 * a * own * repelling)


def test_the_field_is_the_sum_of_products_of_kernels_over_pairs() -> None:
    """Equation (11) with the kernels that algorithm 2 normalises, one pair after the other."""
    y, x = data_and_items()
    kernel = torch.stack([torch.stack([(-(a - b).norm() / 0.8).exp() for b in (*x, *y)]) for a in y])
    kernel[range(B), range(B, 2 * B)] = 0  # not from itself
    kernel = (kernel / kernel.sum(1, keepdim=True) * kernel / kernel.sum(0, keepdim=True)).sqrt()
    pairs = [sum(k[i] * k[B + j] * (x[i] - y[j]) for i in range(B) for j in range(B)) for k in kernel]
    torch.testing.assert_close(field(y, x, y, 0.8), torch.stack(pairs))


def test_items_far_from_all_data_drift_towards_them() -> None:
    x, _ = data_and_items()
    y = x.flip(0) + torch.tensor([50.0, 0.0])
    assert (field(y, x, y, 1.0)[:, 0] < 0).all()


def test_the_loss_is_the_mean_squared_field_and_its_gradient_the_field_backwards() -> None:
    y, x = data_and_items()
    y.requires_grad_()
    loss = Drifting((0.3, 1.0), False).drift(drawn(y, x))
    v = (field(y, x, y, 0.3) + field(y, x, y, 1.0)).detach()
    torch.testing.assert_close(loss, v.square().mean())
    torch.testing.assert_close(torch.autograd.grad(loss, y)[0], -2 * v / v.numel())


def test_with_one_temperature_the_normalised_loss_is_one() -> None:
    """Equation (24): E||V||^2 / C = 1."""
    y, x = data_and_items()
    torch.testing.assert_close(Drifting((0.2,), True).drift(drawn(y, x)), torch.tensor(1.0))


def test_the_normalised_loss_is_that_of_the_scaled_items() -> None:
    """Equations (18) to (26), with S from all pairs, in the paper's order."""
    y, x = data_and_items()
    y.requires_grad_()
    loss = Drifting((0.1, 0.5), True).drift(drawn(y, x))
    every = torch.cdist(y, torch.cat((x, y))).mean().detach()
    phi, data = y / (every / sqrt(2)), x / (every / sqrt(2))
    fields = [field(phi.detach(), data, phi.detach(), tau * sqrt(2)) for tau in (0.1, 0.5)]
    aim = phi.detach() + sum(v / (v.square().sum(1) / 2).mean().sqrt() for v in fields)
    expected = (phi - aim).square().mean()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.autograd.grad(loss, y)[0], torch.autograd.grad(expected, y)[0])


def test_the_unit_of_the_data_does_not_matter() -> None:
    y, x = data_and_items()
    losses = [Drifting((0.1, 0.5), True).drift(drawn(unit * y, unit * x)) for unit in (1.0, 100.0)]
    torch.testing.assert_close(*losses)


def test_one_item_alone_stays_a_number() -> None:
    """All in one place: the field is 0, and nothing is divided by 0."""
    y, x = torch.zeros(B, 2), torch.zeros(B, 2)
    assert torch.isfinite(Drifting((0.1,), False).drift(drawn(y, x)))
