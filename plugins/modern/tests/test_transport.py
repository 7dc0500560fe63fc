"""The transport term against closed forms, and the size that it asks of the latent."""

import re
from itertools import product

import pytest
import torch

from allmodes import SpecError, Step
from allmodes.testing import Composition, compose, load_spec, make_step

SMALL = ("generator={kind: mlp, hidden: []}", "discriminator.hidden=[4]")


def composed(*overrides: str) -> Composition:
    """With G(z) = 3 z + (1, -2)."""
    composition = compose("modern/transport-ring", *SMALL, *overrides)
    weight, bias = composition.modules["generator"].parameters()
    weight.data, bias.data = torch.eye(2, weight.shape[1]) * 3, torch.tensor([1.0, -2.0])
    return composition


def transport(composition: Composition, step: Step) -> torch.Tensor:
    return composition.terms["modern.transport"].loss(step, "generator")


def test_the_term_is_the_mean_squared_move() -> None:
    z = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    composition = composed()
    step = make_step(composition, torch.zeros(2, 2), {"latent/code": z})
    # The moves are (2 + 1, -2) and (1, 4 - 2): squares 13 and 5, over n = 2 entries and two items.
    torch.testing.assert_close(transport(composition, step), torch.tensor((13 + 5) / 4))


def test_the_nuisance_is_not_moved() -> None:
    composition = composed("prior.nuisance_dim=3")
    z = torch.randn(4, 2)
    step = make_step(composition, torch.zeros(4, 2), {"latent/code": z, "latent/nuisance": torch.randn(4, 3)})
    expected = (2 * z + torch.tensor([1.0, -2.0])).square().mean()
    torch.testing.assert_close(transport(composition, step), expected)


def test_lambda_falls_along_the_weight() -> None:
    composition = composed()
    weights = [composition.weights(i)["modern.transport"] for i in (0, 8000)]
    assert weights == pytest.approx([0.2, 0.01])


@pytest.mark.parametrize(("method", "data"), [*product(["transport", "uotm"], ["ring", "grid"])])
def test_the_recipes_latent_has_the_size_of_an_item(method: str, data: str) -> None:
    spec = load_spec(f"modern/{method}-{data}")
    assert spec.data.shape() == (2,)
    assert spec.prior.parts()["code"] == 2


@pytest.mark.parametrize("method", ["transport", "uotm"])
def test_a_latent_of_another_size_is_refused_by_name(method: str) -> None:
    expected = f"--set: prior: modern.{method} moves the code, of size 16, to items of size 2: give both the same size"
    with pytest.raises(SpecError, match=f"^{re.escape(expected)}$"):
        load_spec(f"modern/{method}-ring", "prior={kind: gaussian, dim: 16}")
