"""The mode regulariser against its formula, with priors that have a nuisance, and under `joint` and `pack`."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch.nn.functional import mse_loss, softplus

from allmodes import NOTHING, Given, Latent, Noise, Prior, SpecError
from allmodes.testing import (
    Composition,
    check_turns_under_vmap,
    compose,
    find_gradients,
    load_spec,
    make_step,
    take_turn,
)

B = 8
MLP = {"kind": "mlp", "hidden": [5], "activation": "tanh"}
TERM = "baselines.mode_regularizer"
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))


def spec(prior: Mapping[str, Any] | None = None, noise: str = "none", **discriminator: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "data": {"kind": "ring"},
        "prior": prior or {"kind": "gaussian", "dim": 3},
        "generator": MLP,
        "discriminator": MLP | discriminator,
        "auxiliaries": {"encoder": {"kind": "baselines.encoder", "network": MLP, "noise": noise}},
        "losses": [{"kind": "non_saturating"}, {"kind": TERM, "lambda1": 0.3, "lambda2": 0.7}],
        "training": {"batch_size": B},
    }


def judged(composition: Composition, code_beside: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The term, and the same by hand."""
    step = make_step(composition, X)
    G, D, E = (composition.modules[name] for name in ("generator", "discriminator", "encoder"))
    code = E(X)
    again = G(code)
    score = D(again, code)[0] if code_beside else D(again)[0]
    expected = 0.3 * 2 * mse_loss(again, X) + 0.7 * softplus(-score).mean()  # two entries an item
    return composition.terms[TERM].loss(step, "generator"), expected


@pytest.mark.parametrize("joint", [None, "encoder"])
def test_the_term_is_both_parts_weighted_and_reaches_generator_and_encoder(joint: str | None) -> None:
    composition = compose(spec(joint=joint))
    mine, expected = judged(composition, joint is not None)
    torch.testing.assert_close(mine, expected)
    for name in ("generator", "encoder"):
        found, wanted = (find_gradients(value, composition, name)[name] for value in (mine, expected))
        torch.testing.assert_close(found, wanted)
        assert all(g is not None and g.any() for g in found)


def test_a_nuisance_which_no_item_has_is_drawn() -> None:
    composition = compose(spec({"kind": "gaussian", "dim": 3, "nuisance_dim": 2}))
    step = make_step(composition, X)
    composition.terms[TERM].loss(step, "generator")
    nuisance = step.noise.drawn["prior/baselines.again/nuisance"]
    z = torch.cat([composition.modules["encoder"](X), nuisance], 1)
    torch.testing.assert_close(step.data("baselines.again"), composition.modules["generator"](z))


def test_the_discriminator_has_the_games_loss_alone() -> None:
    assert take_turn(compose(spec()), "discriminator", X) == {"discriminator"}
    assert take_turn(compose(spec()), "generator", X) == {"generator", "encoder"}


SEEN = {"plain": {}, "joint": {"joint": "encoder"}, "pack": {"pack": 2}, "both": {"joint": "encoder", "pack": 2}}


@pytest.mark.parametrize("noise", ["none", "gaussian"])
@pytest.mark.parametrize("seen", SEEN)
def test_eager_turns_equal_pure_ones_joint_and_packed(seen: str, noise: str) -> None:
    check_turns_under_vmap(compose(spec(noise=noise, **SEEN[seen])), 2)


def test_it_works_beside_a_game_that_unrolls_joint_and_packed() -> None:
    values = spec(joint="encoder", pack=2)
    values["losses"][0] = {"kind": "baselines.unrolled", "updates": 2}
    check_turns_under_vmap(compose(values), 2)


def test_a_spec_without_an_encoder_is_refused_with_the_line_to_add() -> None:
    message = "needs an auxiliary that maps data to code; none is defined: add auxiliaries.encoder: {kind: "
    with pytest.raises(SpecError, match=re.escape(message)):
        load_spec({**spec(), "auxiliaries": {}})


class Deaf(Prior):
    """Draws a code beside a nuisance, whatever it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.dim, self.sizes = 5, {"code": 3, "nuisance": 2}

    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        z = noise.normal("z", n, 5)
        return Latent(z, {"code": z[:, :3], "nuisance": z[:, 3:]})


def test_a_prior_that_does_not_take_a_code_is_refused() -> None:
    composition = compose(spec({"kind": "gaussian", "dim": 3, "nuisance_dim": 2}))
    composition.modules["prior"] = Deaf()
    message = "baselines.mode_regularizer needs a prior that draws the rest of z beside a code that is given"
    with pytest.raises(ValueError, match=message):
        composition.terms[TERM].loss(make_step(composition, X), "generator")
