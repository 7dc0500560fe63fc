"""The contract of a loss term."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import ClassVar

import pytest
import torch

from allmodes.engine.eager import EagerEngine
from allmodes.game.composition import Composition
from allmodes.game.parts import find_parts
from allmodes.specs.players import players_of
from allmodes.testing.advice import explain_errors, no_slow_batching
from allmodes.testing.composing import take_due_turns
from allmodes.testing.modules_under_vmap import all_equal
from allmodes.testing.randomness import own_randomness
from allmodes.testing.seeds_under_vmap import compare_runs, due, run_eagerly, run_stacked
from allmodes.testing.snapshots import take_flat_snapshot, take_snapshot
from allmodes.testing.term_in_a_spec import TermInASpec

PRIORS = tuple({"kind": kind, "nuisance_dim": size} for kind in ("gaussian", "uniform") for size in (0, 2))


class LossTermContract(TermInASpec):
    """A term gives each of its players a finite scalar with a gradient, the same in every engine.

    Attributes:
        config: The term's settings.
        recipe: A recipe in which the term works; the first term of its kind in it takes the settings, or a game the
            place of the recipe's game, or the term is added.
        spec: A spec, as a mapping, in the place of a recipe.
        overrides: Further settings of the spec, such as `data.root=/data`.
        reaches: By player, the modules that the term's gradient must reach, and no others; without an entry, any one.
    """

    reaches: ClassVar[Mapping[str, set[str]]] = MappingProxyType({})

    def test_it_gives_a_finite_number_to_every_player_that_it_serves(self) -> None:
        """A loss is a scalar."""
        composition, step = self.make_step()
        term = self.find_term(composition)
        for player in term.loss.losses():
            with explain_errors(f"{self.name}: its loss of {player!r} cannot be computed in this spec"):
                value = term.loss(step, player)
            assert value.shape == (), f"{self.name}: its loss of {player!r} has shape {tuple(value.shape)}: take a mean"
            assert value.isfinite(), f"{self.name}: its loss of {player!r} is {value.item()}, which is not finite"

    def test_it_serves_players_that_there_are(self) -> None:
        """A function for another player would never be called."""
        term, players = self.config.build(), players_of(self.composed_spec.spec)
        assert term.losses() or any(part.acts for _, part in find_parts({self.name: term})), (
            f"{self.name}: losses() is empty: return a function by player, or act in after_update(step)"
        )
        unknown = [player for player in term.losses() if player not in players]
        assert not unknown, (
            f"{self.name}: losses() serves {', '.join(unknown)}, but the players are {', '.join(players)}: return it "
            "from players() of the settings"
        )
        assert not self.config.serves or set(self.config.serves) == set(term.losses()), (
            f"{self.name}: losses() serves {', '.join(term.losses())}, but `serves` of the settings says "
            f"{', '.join(self.config.serves)}: name the same players"
        )

    def test_its_gradient_reaches_the_modules_that_its_players_train(self) -> None:
        """Exactly those in `reaches`, or at least one."""
        composition, step = self.make_moved_step()
        for player in self.find_players(composition):
            found = self.find_reached(composition, step, player)
            if player in self.reaches:
                assert found == set(self.reaches[player]), (
                    f"{self.name}: of what {player!r} trains its gradient reaches {_join(found)}, not "
                    f"{_join(self.reaches[player])}: detach what should not learn from it, or correct `reaches`"
                )
            assert found, (
                f"{self.name}: its gradient reaches nothing that {player!r} trains "
                f"({', '.join(composition.players[player].modules)}): do not detach, and compute on tensors alone"
            )

    def test_a_turn_changes_nothing_but_what_its_players_train(self) -> None:
        """Only optimisers change parameters, each those of its player."""
        composition, iteration = self.composed_spec.compose(), self.iteration
        engine, draw = EagerEngine(composition), self.composed_spec.draw()
        for turn in due(composition, iteration):
            before = take_snapshot(composition)
            with explain_errors(
                f"{self.name}: a turn of {' and '.join(turn.players)} fails: change nothing in place in a loss"
            ):
                engine.update(turn, draw, iteration)
            players = composition.active(turn, composition.weights(iteration))
            mine = composition.trained(players) | find_changed(composition, players, iteration)
            moved = [name for name, state in take_snapshot(composition).items() if not all_equal(state, before[name])]
            foreign = [name for name in moved if name not in mine]
            assert not foreign, (
                f"{self.name}: the turn of {' and '.join(players)} changed {', '.join(foreign)}, which it does not "
                "train: change nothing in a loss, name in `changes` what after_update changes, and share no tensors"
            )

    def test_a_loss_changes_no_parameters_or_buffers(self) -> None:
        """It may be computed ahead, again or for many seeds; what is to move moves in `after_update`."""
        composition, step = self.make_step()
        before = take_flat_snapshot(composition)
        for player in self.find_players(composition):
            self.find_term(composition).loss(step, player)
            after = take_flat_snapshot(composition)
            moved = [name for name, value in after.items() if not torch.equal(value, before[name])]
            assert not moved, (
                f"{self.name}: its loss of {player!r} changes {', '.join(moved)}: change it in after_update(step)"
            )

    def test_two_updates_from_the_same_seed_are_equal(self) -> None:
        """Bit for bit, and without the global generators."""
        results = []
        for _ in range(2):
            composition, draw = self.composed_spec.compose(), self.composed_spec.draw()
            with own_randomness(
                f"{self.name}: an update", "ask for it by name, as in step.noise.normal('eps', step.n, 2)"
            ):
                take_due_turns(composition, draw, self.iteration)
            results.append(take_flat_snapshot(composition))
        assert all_equal(*results), f"{self.name}: two updates from the same seed differ: keep no state between steps"

    def test_updates_of_stacked_seeds_are_those_of_each_seed(self) -> None:
        """All seeds of a spec may be trained at once, as one pure function under vmap."""
        iterations = (self.iteration, self.iteration)
        spec = self.composed_spec
        runs = [
            run_eagerly(spec.compose(seed), spec.batches(seed), spec.generator(seed), iterations) for seed in (0, 1)
        ]
        with (
            explain_errors(
                f"{self.name} does not run under vmap: look at no value (.item(), float(), if x > 0), reach parameters "
                "of modules by step.tensor(module, name), and networks by step.call(module, ...)"
            ),
            no_slow_batching(self.name),
        ):
            stacked = run_stacked(runs)
        assert compare_runs(runs, stacked) > 0, f"{self.name}: no turn of its players changes a parameter"

    def test_it_works_with_every_prior_of_the_core_that_has_what_it_needs(self) -> None:
        """Gaussian and uniform, with and without a nuisance part; those that the term refuses are left out."""
        worked = 0
        for prior in PRIORS:
            if (made := self.with_prior(prior)) is not None:
                with explain_errors(
                    f"{self.name} breaks with prior {prior}: state its needs of a prior in `needs`, or in check()"
                ):
                    composition = take_due_turns(made.compose(), made.draw(), self.iteration)
                wrong = [name for name, value in take_flat_snapshot(composition).items() if not value.isfinite().all()]
                assert not wrong, f"{self.name}: with prior {prior} an update makes {wrong[0]} infinite or NaN"
                worked += 1
        if not worked:
            pytest.skip(f"{self.name} needs a prior that the core does not have")


def find_changed(composition: Composition, players: Collection[str], iteration: int) -> set[str]:
    """Find the modules that parts change after an update of players."""
    rules = composition.rules_after(players, composition.weights(iteration))
    return {name for rule in rules for name in (rule.place.module, *rule.changes)}


def _join(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
