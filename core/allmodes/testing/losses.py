"""The contract of a loss term."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from typing_extensions import override

from allmodes.engine.eager import EagerEngine
from allmodes.game.compose import CompositionError
from allmodes.game.composition import Composition, Term
from allmodes.game.losses import LossTerm
from allmodes.game.step import Context, Step
from allmodes.specs import loading
from allmodes.specs.players import term_names
from allmodes.specs.source import SpecError
from allmodes.testing.advice import saying
from allmodes.testing.composing import ComposedContract, Made, updated
from allmodes.testing.modules_under_vmap import same
from allmodes.testing.randomness import own_randomness
from allmodes.testing.seeds_under_vmap import compared, due, eager_run, stacked_run
from allmodes_schemas import KindConfig, LossTermConfig, Spec

LAST = 1_000_000
PRIORS = tuple({"kind": kind, "nuisance_dim": size} for kind in ("gaussian", "uniform") for size in (0, 2))


class LossTermContract(ComposedContract):
    """A term gives each player that it serves a finite scalar whose gradient arrives, alike in every engine.

    Attributes:
        config: The term's settings.
        recipe: A recipe in which the term works; the first term of its kind in it takes the settings, or a game the
            place of the recipe's game, or the term is added.
        spec: A spec, as a mapping, in the place of a recipe.
        overrides: Further settings of the spec, such as `data.root=/data`.
        reaches: By player, exactly those of its modules that the term's gradient reaches, where that is to be held.
    """

    base = LossTermConfig
    config: ClassVar[LossTermConfig]
    reaches: ClassVar[Mapping[str, set[str]]] = MappingProxyType({})

    def test_it_gives_a_finite_number_to_every_player_that_it_serves(self) -> None:
        """A scalar each."""
        composition, step = self.step()
        term = self.term(composition)
        for player in term.loss.losses():
            with saying(f"{self.who}: its loss of {player!r} cannot be computed in this spec"):
                value = term.loss(step, player)
            assert value.shape == (), f"{self.who}: its loss of {player!r} has shape {tuple(value.shape)}: take a mean"
            assert value.isfinite(), f"{self.who}: its loss of {player!r} is {value.item()}, which is not finite"

    def test_it_serves_players_that_there_are(self) -> None:
        """A function for another player would never be called."""
        composition = self.made.composed()
        served, players = self.term(composition).loss.losses(), composition.players
        assert served, f"{self.who}: losses() serves nobody: return a function by player"
        unknown = [player for player in served if player not in players]
        assert not unknown, (
            f"{self.who}: losses() serves {', '.join(unknown)}, but the players are {', '.join(players)}: return it "
            "from players() of the settings"
        )

    def test_its_gradient_reaches_the_modules_that_its_players_train(self) -> None:
        """Those in `reaches` and no others, or at least one."""
        composition, step = self.step()
        for player in self.served(composition):
            found = self._reached(composition, step, player)
            if player in self.reaches:
                assert found == set(self.reaches[player]), (
                    f"{self.who}: of what {player!r} trains its gradient reaches {_set(found)}, not "
                    f"{_set(self.reaches[player])}: detach what should not learn from it, or correct `reaches`"
                )
            assert found, (
                f"{self.who}: its gradient reaches nothing that {player!r} trains "
                f"({', '.join(composition.players[player].modules)}): do not detach, and compute on tensors alone"
            )

    def test_a_turn_changes_nothing_but_what_its_players_train(self) -> None:
        """Terms compute; optimisers change parameters, and each player's has its own."""
        composition, iteration = self.made.composed(), self.iteration
        engine, draw = EagerEngine(composition), self.made.draw()
        for turn in due(composition, iteration):
            before = _state(composition)
            with saying(f"{self.who}: a turn of {' and '.join(turn.players)} fails: change nothing in place in a loss"):
                engine.update(turn, draw, iteration)
            players = composition.active(turn, composition.weights(iteration))
            mine = composition.trained(players) | {name for name in composition.modules if name.startswith("losses/")}
            moved = [name for name, state in _state(composition).items() if not same(state, before[name])]
            foreign = [name for name in moved if name not in mine]
            assert not foreign, (
                f"{self.who}: the turn of {' and '.join(players)} changed {', '.join(foreign)}, which it does not "
                "train: change no parameters or buffers in a loss, and share none between modules"
            )

    def test_two_updates_from_the_same_seed_are_equal(self) -> None:
        """Bit for bit, and without the global generators."""
        results = []
        for _ in range(2):
            composition, draw = self.made.composed(), self.made.draw()
            with own_randomness(
                f"{self.who}: an update", "ask for it by name, as in step.noise.normal('eps', step.n, 2)"
            ):
                updated(composition, draw, self.iteration)
            results.append(_flat(composition))
        assert same(*results), f"{self.who}: two updates from the same seed differ: keep no state between steps"

    def test_updates_of_stacked_seeds_are_those_of_each_seed(self) -> None:
        """All seeds of a spec may be trained at once, as one pure function under vmap."""
        iterations = (self.iteration, self.iteration)
        runs = [
            eager_run(self.made.composed(seed), self.made.batches(seed), self.made.generator(seed), iterations)
            for seed in (0, 1)
        ]
        with saying(
            f"{self.who} does not run under vmap: look at no value (.item(), float(), if x > 0), reach parameters of "
            "modules by step.tensor(module, name), and networks by step.call(module, ...)"
        ):
            stacked = stacked_run(runs)
        assert compared(runs, stacked) > 0, f"{self.who}: no turn of its players changes a parameter"

    def test_it_works_with_every_prior_of_the_core_that_has_what_it_needs(self) -> None:
        """Gaussian and uniform, with and without a nuisance part; those that `needs` or `check` refuse are left out."""
        worked = 0
        for prior in PRIORS:
            if (made := self._with(prior)) is not None:
                with saying(
                    f"{self.who} breaks with prior {prior}: say what it asks of a prior in `needs`, or in check()"
                ):
                    composition = updated(made.composed(), made.draw(), self.iteration)
                wrong = [name for name, value in _flat(composition).items() if not value.isfinite().all()]
                assert not wrong, f"{self.who}: with prior {prior} an update makes {wrong[0]} infinite or NaN"
                worked += 1
        if not worked:
            pytest.skip(f"{self.who} needs a prior that the core does not have")

    @override
    def within(self, values: dict[str, Any]) -> dict[str, Any]:
        # In place of the term of this kind, or of the game, or after the other terms.
        losses, place = values["losses"], self._place(values["losses"])
        return {**values, "losses": [*losses[:place], loading.plain(self.config), *losses[place + 1 :]]}

    @cached_property
    def iteration(self) -> int:
        """The first at which the term counts and every player that it serves has a turn."""
        composition = self.made.composed()
        term, served = self.term(composition), set(self.served(composition))
        for i in range(LAST):
            if term.counts(i) and served <= {player for turn in due(composition, i) for player in turn.players}:
                return i
        raise AssertionError(
            f"{self.who}: no turn of {', '.join(served)} is due while the term counts: mend the schedule"
        )

    def step(self) -> tuple[Composition, Step]:
        """A step in which every parameter asks for its gradient."""
        composition = self.made.composed()
        weights = composition.weights(self.iteration)
        unroll = EagerEngine(composition).unroll
        return composition, Step(Context(composition, weights, self.iteration, unroll), self.made.draw())

    def term(self, composition: Composition) -> Term:
        """The term within a composition."""
        name = term_names(self.made.spec.losses)[self._place(loading.plain(self.made.spec.losses))]
        term = composition.terms[name]
        assert isinstance(term.loss, LossTerm), (
            f"{self.who}: build() must return an allmodes.LossTerm, not {term.loss!r}"
        )
        return term

    def served(self, composition: Composition) -> tuple[str, ...]:
        """The players of the composition that the term serves."""
        return tuple(player for player in self.term(composition).loss.losses() if player in composition.players)

    @override
    def placed(self, settings: Any) -> dict[str, Any]:
        return {"losses": [settings]}

    @override
    def found(self, spec: Spec) -> KindConfig:
        return spec.losses[0]

    def _place(self, losses: list[dict[str, Any]]) -> int:
        """Where the term stands, or will, among others."""
        kinds, terms = [loss["kind"] for loss in losses], self.registry.of(LossTermConfig)
        if self.who in kinds:
            return kinds.index(self.who)
        if self.config.is_game:
            return next(i for i, kind in enumerate(kinds) if terms[kind].config.is_game)  # type: ignore[attr-defined]
        return len(losses)

    def _with(self, prior: Mapping[str, Any]) -> Made | None:
        """The spec with another prior, or None where it is refused."""
        size = self.made.spec.prior.parts().get("code") or 4
        try:
            made = Made(loading.parse({**self.values(), "prior": {**prior, "dim": size}}, self.registry))
            made.composed()
        except (SpecError, CompositionError):
            return None
        return made

    def _reached(self, composition: Composition, step: Step, player: str) -> set[str]:
        """The modules of a player with a parameter whose gradient is not zero."""
        value = self.term(composition).loss(step, player)
        return set(_reached(composition, value, player)) if value.requires_grad else set()


def _reached(composition: Composition, value: Tensor, player: str) -> Iterator[str]:
    for name in composition.players[player].modules:
        own = list(composition.modules[name].parameters())
        gradients = torch.autograd.grad(value, own, retain_graph=True, allow_unused=True) if own else ()
        if any(gradient is not None and gradient.any() for gradient in gradients):
            yield name


def _state(composition: Composition) -> dict[str, dict[str, Tensor]]:
    """Copies of everything that modules hold."""
    return {
        name: {key: value.detach().clone() for key, value in (*m.named_parameters(), *m.named_buffers())}
        for name, m in composition.modules.items()
    }


def _flat(composition: Composition) -> dict[str, Tensor]:
    return {f"{name}.{key}": value for name, state in _state(composition).items() for key, value in state.items()}


def _set(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
