"""Top-k training against a game on the best items alone."""

import re
from typing import Any

import pytest
import torch

from allmodes import SpecError
from allmodes.testing import check_turns_under_vmap, compose, find_gradients, load_spec, make_step, take_turn
from allmodes_baselines.topk import TopK

B, TERM = 8, "baselines.top_k"
MLP = {"kind": "mlp", "hidden": [5], "activation": "tanh"}
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))


def spec(game: dict[str, Any], **discriminator: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "data": {"kind": "ring"},
        "prior": {"kind": "gaussian", "dim": 3},
        "generator": MLP,
        "discriminator": MLP | discriminator,
        "auxiliaries": {"encoder": {"kind": "baselines.encoder", "network": MLP, "noise": "none"}},
        "losses": [
            {"kind": TERM, "game": game, "nu": 0.25, "gamma": 0.5, "epoch": 10},
            {"kind": "baselines.mode_regularizer"},
        ],
        "training": {"batch_size": B},
    }


@pytest.mark.parametrize(("iteration", "k"), [(0, 8), (9, 8), (10, 4), (25, 2), (1000, 2)])
def test_the_generator_learns_from_the_best_k_alone_whose_number_falls(iteration: int, k: int) -> None:
    composition = compose(spec({"kind": "wasserstein"}))
    step = make_step(composition, X, iteration=iteration)
    scores = step.score("fake")
    expected = -scores.topk(k).values.mean()
    mine = composition.terms[TERM].loss(step, "generator")
    found, wanted = (find_gradients(value, composition, "generator") for value in (mine, expected))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(mine, -scores.mean())


def test_the_discriminator_has_the_games_loss_of_all_items() -> None:
    composition, plain = (
        compose(spec({"kind": "relativistic"})),
        compose({**spec({}), "losses": [{"kind": "relativistic"}]}),
    )
    value = composition.terms[TERM].loss(make_step(composition, X, iteration=1000), "discriminator")
    torch.testing.assert_close(value, plain.terms["relativistic"].loss(make_step(plain, X), "discriminator"))


def test_equal_scores_at_the_border_are_all_kept() -> None:
    scores = torch.tensor([1.0, 2.0, 1.0, 0.0], requires_grad=True)
    best = TopK(torch.nn.Module(), nu=0.5, gamma=0.0).best(scores, torch.tensor(2000))  # type: ignore[arg-type]
    (gradient,) = torch.autograd.grad(best.sum(), scores)
    assert gradient.tolist() == [2.0, 2.0, 2.0, 0.0]


GAMES = {
    "relativistic": {"kind": "relativistic"},
    "ali": {"kind": "baselines.ali"},
    "unrolled": {"kind": "baselines.unrolled", "updates": 2},
    "itself": {"kind": TERM, "game": {"kind": "baselines.hinge"}},
    "replay": {"kind": "baselines.replay", "game": {"kind": "baselines.hinge"}, "size": 20},
}


@pytest.mark.parametrize("game", GAMES)
def test_eager_turns_equal_pure_ones_around_any_game_joint_and_packed(game: str) -> None:
    check_turns_under_vmap(compose(spec(GAMES[game], joint="encoder", pack=2)), 2)


def test_the_k_of_began_moves_within_it() -> None:
    values = spec({"kind": "baselines.began", "rate": 0.5})
    values["discriminator"] = {"kind": "baselines.autoencoder", "code": 2, "encoder": MLP, "decoder": MLP}
    composition = compose(values)
    for _ in range(3):
        take_turn(composition, "discriminator", X + 5)
    assert float(composition.terms[TERM].loss.game.k) > 0


def test_what_is_no_game_or_has_a_weight_of_its_own_is_refused() -> None:
    with pytest.raises(SpecError, match=re.escape(f"{TERM} holds a game, which r1 is not: list it under losses")):
        load_spec(spec({"kind": "r1"}))
    message = f"{TERM} stands for wasserstein and counts by its own weight: set that instead"
    with pytest.raises(SpecError, match=re.escape(message)):
        load_spec(spec({"kind": "wasserstein", "weight": 2.0}))


def test_the_needs_of_the_game_are_asked_for() -> None:
    with pytest.raises(SpecError, match=re.escape("baselines.ali needs a discriminator that sees a code")):
        load_spec(spec({"kind": "baselines.ali"}))
