"""BEGAN against its formula: an autoencoder's losses by hand, and k over several updates."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from allmodes import SpecError
from allmodes.testing import Composition, check_turns_under_vmap, compose, load_spec, make_step, take_turn

B, RATE, GAMMA = 8, 0.5, 0.7
MLP = {"kind": "mlp", "hidden": [5], "activation": "tanh"}
AUTOENCODER = {"kind": "baselines.autoencoder", "code": 2, "encoder": MLP, "decoder": MLP}
TERM = "baselines.began"
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))


def spec(**discriminator: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "data": {"kind": "ring"},
        "prior": {"kind": "gaussian", "dim": 3},
        "generator": MLP,
        "discriminator": {**AUTOENCODER, **discriminator},
        "auxiliaries": {"encoder": {"kind": "baselines.encoder", "network": MLP, "noise": "none"}},
        "losses": [{"kind": TERM, "gamma": GAMMA, "rate": RATE}, {"kind": "baselines.mode_regularizer"}],
        "training": {"batch_size": B, "optimizer": {"kind": "sgd", "lr": 0.1}},
    }


def left(composition: Composition, items: Tensor) -> Tensor:
    """L: mean absolute difference of items and what D makes of them."""
    rest = composition.modules["discriminator"].network.trunk
    return (items - rest.decoders[0](rest.encoder(items))).abs().mean(1)


def test_the_score_is_minus_what_is_left_and_both_losses_are_the_papers() -> None:
    composition = compose(spec())
    step, term = make_step(composition, X), composition.terms[TERM].loss
    term.k.fill_(0.4)
    x, y = left(composition, X), left(composition, step.fake)
    torch.testing.assert_close(step.score("real"), -x)
    torch.testing.assert_close(term(step, "discriminator"), x.mean() - 0.4 * y.mean())
    torch.testing.assert_close(term(step, "generator"), y.mean())


def test_squares_are_another_power() -> None:
    composition = compose(spec(eta=2))
    rest = composition.modules["discriminator"].network.trunk
    expected = (X - rest.decoders[0](rest.encoder(X))).square().mean(1)
    torch.testing.assert_close(make_step(composition, X).score("real"), -expected)


def test_k_begins_at_zero_moves_by_the_losses_before_the_update_and_stays_within_0_and_1() -> None:
    composition = compose(spec())
    k = composition.terms[TERM].loss.k
    seen, expected = [float(k)], [0.0]
    for _ in range(6):
        step = make_step(composition, X)
        balance = GAMMA * left(composition, X).mean() - left(composition, step.fake).mean()
        expected.append(min(max(expected[-1] + RATE * float(balance.detach()), 0), 1))
        take_turn(composition, "discriminator", X)
        seen.append(float(k))
    assert seen == pytest.approx(expected, abs=1e-6)


def test_the_generators_turn_leaves_k() -> None:
    composition = compose(spec())
    k = composition.terms[TERM].loss.k
    k.fill_(0.4)
    take_turn(composition, "generator", X)
    assert float(k) == pytest.approx(0.4)


SEEN: Mapping[str, Mapping[str, Any]] = {
    "plain": {}, "joint": {"joint": "encoder"}, "pack": {"pack": 2}, "both": {"joint": "encoder", "pack": 2}
}  # fmt: skip


@pytest.mark.parametrize("seen", SEEN)
def test_eager_turns_equal_pure_ones_joint_and_packed(seen: str) -> None:
    check_turns_under_vmap(compose(spec(**SEEN[seen])), 2)


def test_as_a_generator_an_autoencoder_is_refused() -> None:
    message = "baselines.autoencoder gives a score, not (2,): take it as a discriminator"
    with pytest.raises(SpecError, match=re.escape(message)):
        load_spec({**spec(), "generator": AUTOENCODER})


def test_another_game_can_have_it_as_its_discriminator() -> None:
    check_turns_under_vmap(compose({**spec(), "losses": [{"kind": "baselines.hinge"}]}), 2)
