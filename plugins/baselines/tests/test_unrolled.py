"""Unrolled GAN against updates of the discriminator that are written out by hand."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from allmodes import NonSaturating, SpecError
from allmodes.testing import Composition, compose, load_spec, make_optimizers, make_step, take_turn

B, RATE = 8, 0.3
SGD = {"kind": "sgd", "lr": RATE}
ADAM = {"kind": "adam", "lr": RATE, "betas": [0.5, 0.999], "eps": 0.1}
Weights = list[Tensor]


def composed(updates: int, objective: str = "non_saturating", optimizer: Any = SGD, **generator: Any) -> Composition:
    body = {"kind": "mlp", "hidden": [5], "activation": "tanh"}
    return compose(
        {
            "name": "tiny",
            "data": {"kind": "ring"},
            "prior": {"kind": "gaussian", "dim": 3},
            "generator": body | generator,
            "discriminator": body,
            "losses": [{"kind": "baselines.unrolled", "updates": updates, "objective": objective}],
            "training": {"batch_size": B, "optimizer": optimizer},
        },
        double=True,
    )


def drawn() -> tuple[Tensor, Tensor]:
    """Items x and latents z."""
    generator = torch.Generator().manual_seed(1)
    x, z = (torch.randn(B, n, generator=generator, dtype=torch.float64) for n in (2, 3))
    return x, z


def objective(composition: Composition, player: str, draw: tuple[Tensor, Tensor], iteration: int = 0) -> Tensor:
    x, z = draw
    return composition.objective(player, make_step(composition, x, {"latent/code": z}, iteration))


def weights_of(composition: Composition, module: str) -> Weights:
    return list(composition.modules[module].parameters())


def net(weights: Weights, x: Tensor) -> Tensor:
    a, b, c, d = weights
    return torch.tanh(x @ a.T + b) @ c.T + d


def value(weights: Weights, x: Tensor, y: Tensor) -> Tensor:
    """Minus f, which D lowers."""
    return softplus(-net(weights, x)).mean() + softplus(net(weights, y)).mean()


def sgd(weights: Weights, gradients: tuple[Tensor, ...]) -> Weights:
    return [w - RATE * g for w, g in zip(weights, gradients, strict=True)]


def first_adam(weights: Weights, gradients: tuple[Tensor, ...]) -> Weights:
    """Adam's first step: the correction takes the moments' factors away; a large eps keeps its derivative large."""
    return [w - RATE * g / (g.abs() + 0.1) for w, g in zip(weights, gradients, strict=True)]


def by_hand(
    composition: Composition, draw: tuple[Tensor, Tensor], updates: int, objective: str, rule: Callable[..., Weights]
) -> Tensor:
    G, D = weights_of(composition, "generator"), weights_of(composition, "discriminator")
    x, y = draw[0], net(G, draw[1])
    for _ in range(updates):
        D = rule(D, torch.autograd.grad(value(D, x, y), D, create_graph=True))
    return softplus(-net(D, y)).mean() if objective == "non_saturating" else -value(D, x, y)


def assert_same(composition: Composition, mine: Tensor, expected: Tensor, rtol: float = 1e-9) -> None:
    G = weights_of(composition, "generator")
    torch.testing.assert_close(mine, expected, rtol=rtol, atol=1e-12)
    gradients = torch.autograd.grad(mine, G), torch.autograd.grad(expected, G)
    torch.testing.assert_close(*gradients, rtol=rtol, atol=rtol * 1e-2)


@pytest.mark.parametrize("lowered", ["non_saturating", "minimax"])
@pytest.mark.parametrize("updates", [0, 1, 3])
def test_the_generators_loss_and_gradient_run_through_every_update_of_the_discriminator(
    updates: int, lowered: str
) -> None:
    composition, draw = composed(updates, lowered), drawn()
    mine = objective(composition, "generator", draw)
    assert_same(composition, mine, by_hand(composition, draw, updates, lowered, sgd))


def test_the_updates_ahead_are_those_of_the_discriminators_own_adam() -> None:
    composition, draw = composed(1, optimizer=ADAM), drawn()
    mine = objective(composition, "generator", draw)
    assert_same(composition, mine, by_hand(composition, draw, 1, "non_saturating", first_adam), 1e-4)


def test_a_falling_rate_is_that_of_the_iteration_in_the_updates_ahead_too() -> None:
    ramp = {"kind": "sgd", "lr": {"start": 0.5, "end": 2 * RATE - 0.5, "over": 10}}
    composition, draw = composed(2, optimizer=ramp), drawn()
    mine = objective(composition, "generator", draw, iteration=5)
    assert_same(composition, mine, by_hand(composition, draw, 2, "non_saturating", sgd))


def test_without_updates_it_is_the_plain_game() -> None:
    composition, (x, z), plain = composed(0), drawn(), NonSaturating()
    for player in ("discriminator", "generator"):
        expected = plain(make_step(composition, x, {"latent/code": z}), player)
        torch.testing.assert_close(objective(composition, player, (x, z)), expected, rtol=0, atol=0)


def test_the_discriminator_takes_an_ordinary_step() -> None:
    composition, (x, z) = composed(5), drawn()
    D, y = weights_of(composition, "discriminator"), net(weights_of(composition, "generator"), z)
    expected = sgd(D, torch.autograd.grad(value(D, x, y), D))
    take_turn(composition, "discriminator", x, {"latent/code": z})
    torch.testing.assert_close([w.detach() for w in D], [w.detach() for w in expected], rtol=1e-10, atol=1e-12)


def test_the_generators_turn_leaves_the_discriminator_as_it_was() -> None:
    x, z = drawn()
    assert take_turn(composed(3), "generator", x, {"latent/code": z}) == {"generator"}


def test_the_generators_batchnorm_advances_once_in_its_turn() -> None:
    composition, (x, z) = composed(3, batch_norm=True), drawn()
    (norm,) = composition.batch_norms["generator"]
    take_turn(composition, "generator", x, {"latent/code": z})
    assert norm.num_batches_tracked == 1


def test_it_is_a_game_of_its_own() -> None:
    values = load_spec("baselines/unrolled-ring").model_dump(mode="json")
    values["losses"].append({"kind": "non_saturating"})
    message = "non_saturating is a second game beside baselines.unrolled: a spec has exactly one"
    with pytest.raises(SpecError, match=message):
        load_spec(values)


def test_the_recipe_has_the_demos_settings() -> None:
    spec = load_spec("baselines/unrolled-ring")
    assert spec.losses[0].model_dump(include={"updates", "objective"}) == {"updates": 5, "objective": "minimax"}
    assert (spec.training.iterations, spec.training.batch_size) == (25_000, 512)
    optimizers = make_optimizers(compose(spec))
    assert {name: o.param_groups[0]["lr"] for name, o in optimizers.items()} == {
        "discriminator": 1e-4,
        "generator": 1e-3,
    }
    assert len(spec.data.centres()) == len(set(spec.data.centres())) == 8
