"""The hinge game and least squares against their formulas, and under `joint` and `pack`."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from allmodes.testing import Composition, check_turns_under_vmap, compose, make_step

B = 8
MLP = {"kind": "mlp", "hidden": [5], "activation": "tanh"}
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))


def composed(game: Mapping[str, Any], **discriminator: Any) -> Composition:
    return compose({
        "name": "tiny",
        "data": {"kind": "ring"},
        "prior": {"kind": "gaussian", "dim": 3},
        "generator": MLP,
        "discriminator": MLP | discriminator,
        "auxiliaries": {"encoder": {"kind": "baselines.encoder", "network": MLP, "noise": "none"}},
        "losses": [game, {"kind": "baselines.mode_regularizer"}],
        "training": {"batch_size": B},
    })  # fmt: skip


def hinge(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    return (1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean(), -fake.mean()


def squares(a: float, b: float, c: float, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    return ((real - b) ** 2 / 2).mean() + ((fake - a) ** 2 / 2).mean(), ((fake - c) ** 2 / 2).mean()


@pytest.mark.parametrize("discriminator", [{}, {"joint": "encoder"}, {"pack": 2}], ids=["plain", "joint", "pack"])
def test_the_hinge_game_is_its_formula(discriminator: Mapping[str, Any]) -> None:
    composition = composed({"kind": "baselines.hinge"}, **discriminator)
    step, term = make_step(composition, X), composition.terms["baselines.hinge"].loss
    expected = hinge(step.score("real"), step.score("fake"))
    assert [term(step, player) for player in ("discriminator", "generator")] == list(expected)


@pytest.mark.parametrize("labels", [{}, {"a": -1.0, "b": 1.0, "c": 0.0}], ids=["binary", "pearson"])
def test_least_squares_pulls_scores_to_its_labels(labels: Mapping[str, float]) -> None:
    composition = composed({"kind": "baselines.least_squares", **labels})
    step, term = make_step(composition, X), composition.terms["baselines.least_squares"].loss
    a, b, c = ({"a": 0.0, "b": 1.0, "c": 1.0} | dict(labels)).values()
    expected = squares(a, b, c, step.score("real"), step.score("fake"))
    for player, value in zip(("discriminator", "generator"), expected, strict=True):
        torch.testing.assert_close(term(step, player), value)


@pytest.mark.parametrize("kind", ["baselines.hinge", "baselines.least_squares"])
def test_eager_turns_equal_pure_ones_joint_and_packed(kind: str) -> None:
    check_turns_under_vmap(composed({"kind": kind}, joint="encoder", pack=2), 2)
