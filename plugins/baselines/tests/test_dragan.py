"""DRAGAN's penalty against its formula, and beside everything that changes what the discriminator sees."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from allmodes.testing import Composition, check_turns_under_vmap, compose, find_gradients, make_step, take_turn

B = 8
MLP = {"kind": "mlp", "hidden": [5], "activation": "tanh"}
TERM = "baselines.dragan"
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def composed(game: Mapping[str, Any] | None = None, double: bool = False, **discriminator: Any) -> Composition:
    return compose(
        {
            "name": "tiny",
            "data": {"kind": "ring"},
            "prior": {"kind": "gaussian", "dim": 3},
            "generator": MLP,
            "discriminator": MLP | discriminator,
            "auxiliaries": {"encoder": {"kind": "baselines.encoder", "network": MLP}},
            "losses": [
                game or {"kind": "non_saturating"},
                {"kind": TERM, "strength": 3.0},
                {"kind": "baselines.mode_regularizer"},
            ],
            "training": {"batch_size": B},
        },
        double=double,
    )  # fmt: skip


def test_the_penalty_is_that_of_slopes_at_the_points_around_data() -> None:
    composition, generator = composed(double=True), torch.Generator().manual_seed(3)
    alpha, u = (torch.rand(B, n, generator=generator, dtype=torch.float64) for n in (1, 2))
    z = torch.randn(B, 3, generator=generator, dtype=torch.float64)
    step = make_step(composition, X, {f"{TERM}/alpha": alpha, f"{TERM}/u": u, "latent/code": z})
    mine = composition.terms[TERM].loss(step, "discriminator")
    std = (X - X.mean()).square().mean().sqrt()
    around = (X + alpha * 0.5 * std * u).requires_grad_()
    score = composition.modules["discriminator"](around)[0].sum()
    (slope,) = torch.autograd.grad(score, around, create_graph=True)
    expected = 3 * (slope.norm(dim=1) - 1).square().mean()
    torch.testing.assert_close(mine, expected)
    found, wanted = (find_gradients(value, composition, "discriminator")["discriminator"] for value in (mine, expected))
    torch.testing.assert_close(found[:-1], wanted[:-1])  # the last bias has no slope


def test_only_the_discriminator_feels_it() -> None:
    assert list(composed().terms[TERM].loss.losses()) == ["discriminator"]
    assert take_turn(composed(), "discriminator", X.float()) == {"discriminator"}


SEEN = {"plain": {}, "joint": {"joint": "encoder"}, "pack": {"pack": 2}, "both": {"joint": "encoder", "pack": 2}}


@pytest.mark.parametrize("seen", SEEN)
def test_eager_turns_equal_pure_ones_joint_and_packed(seen: str) -> None:
    composition = composed(**SEEN[seen])
    step = make_step(composition, X.float())
    assert composition.terms[TERM].loss(step, "discriminator").isfinite()
    assert len(step.score(TERM)) == B // int(SEEN[seen].get("pack", 1))
    check_turns_under_vmap(composition, 2)


def test_it_works_beside_a_game_that_unrolls_joint_and_packed() -> None:
    composition = composed({"kind": "baselines.unrolled", "updates": 2}, joint="encoder", pack=2)
    check_turns_under_vmap(composition, 2)
