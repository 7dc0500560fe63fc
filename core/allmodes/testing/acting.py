"""The check that parts of a module act after updates for many seeds at once as for each, in a small game around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import repeat

import pytest
import torch
from torch import nn

from allmodes.builtin.losses import NonSaturating
from allmodes.builtin.networks import Mlp
from allmodes.builtin.priors import Gaussian
from allmodes.data.batch import Batch
from allmodes.game.composition import Composition, Player, Term
from allmodes.game.contracts import Discriminator
from allmodes.game.parts import find_parts
from allmodes.testing.advice import explain_errors, no_slow_batching
from allmodes.testing.seeds_under_vmap import EagerRun, compare_runs, run_eagerly, run_stacked
from allmodes_schemas import AdamConfig, Shape, TurnConfig

ITEMS = 8


def check_acting(build: Callable[[int], Mapping[str, nn.Module]], item: Shape, code: int, name: str) -> None:
    """Hold what acts after updates to the same for stacked seeds.

    Args:
        build: From a seed to modules, named by their role, such as `discriminator`; the others are perceptrons.
        item: Shape of an item of the data.
        code: Size of the latent.
        name: The kind, for messages.
    """
    if not any(part.acts for _, part in find_parts(build(0))):
        pytest.skip(f"nothing in {name} acts after updates")
    with explain_errors(f"{name}: after_update fails after an update"):
        runs = [_run(build(seed), item, code, seed) for seed in (0, 1)]
    with (
        explain_errors(
            f"{name}: after_update does not run under vmap: look at no value, and write in place with copy_"
        ),
        no_slow_batching(name),
    ):
        stacked = run_stacked(runs)
    compare_runs(runs, stacked)


def _run(modules: Mapping[str, nn.Module], item: Shape, code: int, seed: int) -> EagerRun:
    generator = torch.Generator().manual_seed(seed)
    batches: Iterator[Batch] = (Batch(torch.randn(ITEMS, *item, generator=generator)) for _ in repeat(None))
    return run_eagerly(_compose(modules, item, code), batches, generator, (0, 1))


def _compose(modules: Mapping[str, nn.Module], item: Shape, code: int) -> Composition:
    """A game of perceptrons around modules; an auxiliary among them is trained by the generator."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        roles: dict[str, nn.Module] = {
            "prior": Gaussian(code),
            "generator": Mlp([(code,)], item, (8,)),
            "discriminator": Discriminator(Mlp([item], (1,), (8,))),
        } | dict(modules)
    optimizer = AdamConfig(lr=1e-2)
    others = tuple(name for name in roles if name != "discriminator")
    players = [Player("discriminator", ("discriminator",), optimizer), Player("generator", others, optimizer)]
    turns = [TurnConfig(player=player.name) for player in players]
    return Composition(roles, [Term("game", NonSaturating())], players, turns)
