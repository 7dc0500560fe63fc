"""The history of generated items: what D sees, what is kept, and that G's loss is the game's."""

from typing import Any

import torch

from allmodes.testing import check_turns_under_vmap, compose, make_step, take_turn

B, SIZE, TERM = 8, 12, "baselines.replay"
MLP = {"kind": "mlp", "hidden": [5], "activation": "tanh"}
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))


def spec(**discriminator: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "data": {"kind": "ring"},
        "prior": {"kind": "gaussian", "dim": 3},
        "generator": MLP,
        "discriminator": MLP | discriminator,
        "auxiliaries": {"encoder": {"kind": "baselines.encoder", "network": MLP, "noise": "none"}},
        "losses": [
            {"kind": TERM, "game": {"kind": "wasserstein"}, "size": SIZE},
            {"kind": "baselines.mode_regularizer"},
        ],
        "training": {"batch_size": B},
    }


def test_the_first_half_that_the_discriminator_sees_is_old_and_the_generator_sees_new_items_alone() -> None:
    composition = compose(spec(joint="encoder"))
    step, term = make_step(composition, X), composition.terms[TERM].loss
    value = term(step, "discriminator")
    drawn = (step.noise.drawn[f"{TERM}/which"] * SIZE).long()
    items = torch.cat([term.items[drawn], step.fake[4:]])
    codes = torch.cat([term.codes[drawn], step.latent.code[4:]])
    D = composition.modules["discriminator"]
    torch.testing.assert_close(value, D(items, codes)[0].mean() - step.score("real").mean())
    torch.testing.assert_close(term(step, "generator"), -D(step.fake, step.latent.code)[0].mean())


def test_the_history_begins_with_what_the_generator_makes_and_takes_in_half_of_each_batch() -> None:
    composition = compose(spec())
    term = composition.terms[TERM].loss
    torch.testing.assert_close(term.items, composition.modules["generator"](term.codes))
    before, step = term.items.clone(), make_step(composition, X)
    take_turn(composition, "discriminator", X)
    torch.testing.assert_close(term.items, torch.cat([step.fake[:4], before[:-4]]))
    torch.testing.assert_close(term.codes[:4], step.latent.code[:4])
    kept = term.items.clone()
    take_turn(composition, "generator", X)
    assert torch.equal(term.items, kept)


def test_eager_turns_equal_pure_ones_plain_and_joint_and_packed() -> None:
    check_turns_under_vmap(compose(spec()), 2)
    check_turns_under_vmap(compose(spec(joint="encoder", pack=2)), 2)
