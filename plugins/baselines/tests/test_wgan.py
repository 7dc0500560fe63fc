"""Weight clipping: after each of the critic's updates, whatever the game, and never in the generator's turn."""

import pytest
import torch

from allmodes.testing import Composition, check_turns_under_vmap, compose, take_turn

MLP = {"kind": "mlp", "hidden": [5]}
X = torch.randn(8, 2, generator=torch.Generator().manual_seed(2))


def composed(game: str = "wasserstein", c: float = 0.05, weight: float = 1.0) -> Composition:
    return compose({
        "name": "tiny",
        "data": {"kind": "ring"},
        "prior": {"kind": "gaussian", "dim": 3},
        "generator": MLP,
        "discriminator": MLP,
        "losses": [{"kind": game}, {"kind": "baselines.clipping", "c": c, "weight": weight}],
    })  # fmt: skip


@pytest.mark.parametrize("game", ["wasserstein", "relativistic"])
def test_the_critic_is_what_it_would_be_without_clipped_to_the_box(game: str) -> None:
    wide, narrow = composed(game, 1e6), composed(game, 0.05)
    for composition in (wide, narrow):
        take_turn(composition, "discriminator", X)
    for one, other in zip(*(c.modules["discriminator"].parameters() for c in (wide, narrow)), strict=True):
        assert torch.equal(one.clamp(-0.05, 0.05), other)
    assert max(float(p.detach().abs().max()) for p in wide.modules["discriminator"].parameters()) > 0.05


def test_the_generators_turn_clips_nothing() -> None:
    assert take_turn(composed(), "generator", X) == {"generator"}


def test_eager_turns_equal_pure_ones_under_vmap() -> None:
    check_turns_under_vmap(composed(), 2)
