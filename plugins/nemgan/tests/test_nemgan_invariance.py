"""Invariance to moves, against its definition and against moves that can be told by hand."""

import math
import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from allmodes import SpecError, Step, seeded
from allmodes.testing import compose, load_spec, make_step
from allmodes_nemgan.invariance import Moves

MLP = {"kind": "mlp", "hidden": [8]}
TERM = {"kind": "nemgan.invariance", "rotation": 0, "shift": 0, "scale": 0, "noise": 0.3}
SPEC: Mapping[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring", "modes": 3},
    "prior": {"kind": "nemgan.mode_mixture", "dim": 5, "modes": 3},
    "generator": MLP,
    "discriminator": MLP,
    "auxiliaries": {"inverter": {"kind": "nemgan.inverter", "network": MLP}},
    "losses": [{"kind": "non_saturating"}, {"kind": "nemgan.latent_inversion"}, TERM],
    "training": {"device": "cpu"},
}
NO_NOISE = {"rotation": 0.0, "shift": 0.0, "scale": 0.0}


def step_of(term: Mapping[str, Any], **changes: Any) -> Step:
    losses = [*SPEC["losses"][:2], {**TERM, **term}]
    x = torch.randn(32, 2, generator=torch.Generator().manual_seed(1))
    return make_step(compose({**SPEC, "losses": losses, **changes}), x, seeded(2))


def invariance(step: Step) -> Tensor:
    term = step.context.networks.terms["nemgan.invariance"]
    return term.loss(step, "invariance")


def scores(step: Step, x: Tensor) -> Tensor:
    found: Tensor = step.context.networks.modules["inverter"](x).y
    return found


def refused(**changes: Any) -> str:
    with pytest.raises(SpecError) as raised:
        load_spec({**SPEC, **changes})
    return str(raised.value)


def test_the_term_is_the_sum_in_its_docstring() -> None:
    step = step_of({"information": 0.7, "balance": 3.0})
    moved = step.x + 0.3 * step.noise.at("moves").normal("noise", 32, 2)
    p, q = scores(step, step.x).softmax(1), scores(step, moved).softmax(1)
    same = (p * (p / q).log()).sum(1).mean()
    uncertainty = -(p * p.log()).sum(1).mean()
    imbalance = (p.mean(0) * (p.mean(0) * 3).log()).sum()
    torch.testing.assert_close(invariance(step), same + 0.7 * (uncertainty + 3.0 * imbalance))


def test_items_that_do_not_move_cost_their_information_alone() -> None:
    step = step_of({"noise": 0.0, "information": 1.0, "balance": 1.0})
    p = scores(step, step.x).softmax(1)
    entropy = -(p.mean(0) * p.mean(0).log()).sum()
    mutual_information = entropy + (p * p.log()).sum(1).mean()
    torch.testing.assert_close(invariance(step), math.log(3) - mutual_information)


def test_shares_may_be_those_of_the_prior() -> None:
    prior = {"kind": "nemgan.mode_mixture", "dim": 5, "modes": 3, "weights": [1, 2, 5]}
    step = step_of({"noise": 0.0, "information": 1.0, "balance": 1.0, "shares": "prior"}, prior=prior)
    p = scores(step, step.x).softmax(1)
    pi = torch.tensor([1, 2, 5]) / 8
    expected = -(p * p.log()).sum(1).mean() + (p.mean(0) * (p.mean(0) / pi).log()).sum()
    torch.testing.assert_close(invariance(step), expected)


def test_the_gradient_reaches_the_inverter_alone() -> None:
    step = step_of({})
    for module in step.context.networks.modules.values():
        module.requires_grad_(True)
    invariance(step).backward()
    reached = {
        name
        for name, module in step.context.networks.modules.items()
        if any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())
    }
    assert reached == {"inverter"}


@pytest.mark.parametrize(("turn", "times"), [(0.0, 0), (90.0, 1), (-90.0, 3)])
def test_a_quarter_turn_is_a_quarter_turn(turn: float, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    moves = Moves(rotation=abs(turn) or 1.0)
    u = torch.full((1, 4), 0.5)
    u[:, 0] = 0.5 if turn == 0 else (1.0 if turn > 0 else 0.0)
    noise = seeded(0)
    monkeypatch.setattr(noise, "uniform", lambda name, *shape: u)
    torch.testing.assert_close(moves(x, noise), torch.rot90(x, times, (2, 3)), atol=1e-4, rtol=0)


def test_a_shift_by_a_quarter_of_the_side_moves_four_pixels_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    noise = seeded(0)
    monkeypatch.setattr(noise, "uniform", lambda name, *shape: torch.tensor([[0.5, 0.5, 1.0, 0.5]]))
    left = torch.cat([x[..., 1:], x[..., -1:]], -1)  # what comes in from outside is as at the border
    torch.testing.assert_close(Moves(shift=0.25)(x, noise), left, atol=1e-5, rtol=0)


def test_each_item_moves_by_itself_and_alone_as_in_a_batch() -> None:
    x, noise = torch.rand(6, 1, 8, 8), seeded(3)
    moves = Moves(10, 0.1, 0.1)
    moved = moves(x, noise)
    assert torch.equal(moved, moves(x, noise))
    maps = moves._maps(noise, 6)
    assert len({tuple(m.flatten().tolist()) for m in maps}) == 6


def test_points_cannot_be_turned() -> None:
    message = refused(losses=[*SPEC["losses"][:2], {"kind": "nemgan.invariance"}])
    assert message.endswith(
        "nemgan.invariance turns, shifts and scales images, but items of ring have shape (2,): set rotation: 0, "
        "shift: 0, scale: 0, and noise: to what leaves the mode as it is"
    )


def test_only_a_prior_that_offers_weights_has_shares_to_follow() -> None:
    prior = {"kind": "gaussian", "dim": 3}
    losses = [*SPEC["losses"][:2], {**TERM, "shares": "prior"}]
    expected = "shares: prior reads the weights of the modes, which prior gaussian does not offer"
    assert re.search(re.escape(f"{expected}: set shares: equal"), refused(prior=prior, losses=losses))


def test_learned_weights_without_a_player_warn() -> None:
    learned = {"kind": "nemgan.mode_mixture", "dim": 5, "modes": 3, "weights": "learned"}
    expected = (
        "prior.weights: no loss trains the prior, so weights: learned stay equal: add {kind: nemgan.prior_matching}, "
        "or set weights: uniform"
    )
    with pytest.warns(match=re.escape(expected)):
        load_spec({**SPEC, "prior": learned})
