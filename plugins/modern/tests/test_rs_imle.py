"""RS-IMLE's choice and loss against numbers worked out by hand."""

import pytest
import torch
from torch import Tensor

from allmodes import Step
from allmodes.testing import Composition, compose, make_step
from allmodes_modern.rs_imle import RejectionImle, choose


def composed() -> Composition:
    """With G(z) = z."""
    composition = compose("modern/rsimle-ring", "generator={kind: mlp, hidden: []}", "prior={kind: gaussian, dim: 2}")
    weight, bias = composition.modules["generator"].parameters()
    weight.data, bias.data = torch.eye(2), torch.zeros(2)
    return composition


def drawn(composition: Composition, x: Tensor, z: Tensor) -> Step:
    return make_step(composition, x, {"modern.rs_imle/code": z})


def test_each_datum_draws_the_nearest_candidate() -> None:
    x = torch.tensor([[0.0], [1.0], [5.0]])
    y = torch.tensor([[0.9], [4.0], [-0.3], [9.0]])
    index, found = choose(x, y, 0.0)
    assert (index.tolist(), found.tolist()) == ([2, 0, 1], [True] * 3)


def test_a_candidate_near_any_datum_is_rejected_for_all() -> None:
    x = torch.tensor([[0.0], [1.0], [5.0]])
    y = torch.tensor([[0.9], [4.0], [-0.3], [9.0]])
    index, found = choose(x, y, 0.2)  # 0.9 is 0.1 from the second datum, which has 4 and -0.3 left
    assert (index.tolist(), found.tolist()) == ([2, 2, 1], [True] * 3)


def test_where_all_are_rejected_none_is_found() -> None:
    x = torch.tensor([[0.0], [1.0]])
    assert choose(x, x + 0.01, 0.2)[1].tolist() == [False, False]


def test_the_loss_is_the_mean_distance_to_the_chosen() -> None:
    x = torch.tensor([[0.0, 0.0], [10.0, 0.0]])
    z = torch.tensor([[3.0, 4.0], [10.0, 2.0], [0.0, 0.05], [7.0, 0.0]])
    composition = composed()
    loss = RejectionImle(2, 0.1).nearest(drawn(composition, x, z))
    torch.testing.assert_close(loss, torch.tensor((5.0 + 2.0) / 2))  # (0, 0.05) is rejected
    bias = composition.parameters("generator")[1]
    torch.testing.assert_close(torch.autograd.grad(loss, bias)[0], torch.tensor([0.6, 0.8 + 1.0]) / 2)


def test_with_no_radius_it_is_imle() -> None:
    x, z = torch.randn(4, 2), torch.randn(12, 2)
    loss = RejectionImle(3, 0.0).nearest(drawn(composed(), x, z))
    torch.testing.assert_close(loss, torch.stack([min((a - b).norm() for b in z) for a in x]).mean())


def test_where_nothing_is_left_the_loss_is_zero_and_moves_nothing() -> None:
    x = torch.randn(4, 2)
    composition = composed()
    loss = RejectionImle(1, 1.0).nearest(drawn(composition, x, x.clone()))
    gradients = torch.autograd.grad(loss, composition.parameters("generator"))
    assert float(loss.detach()) == 0
    assert all((g == 0).all() for g in gradients)


@pytest.mark.parametrize("m", [1, 4])
def test_as_many_candidates_are_drawn_as_the_option_says(m: int) -> None:
    step = make_step(composed(), torch.randn(6, 2))
    RejectionImle(m, 0.0).nearest(step)
    assert step.noise.drawn["modern.rs_imle/code"].shape == (6 * m, 2)
