"""A loss term within a spec: its composition, its step, the iteration at which it counts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, ClassVar

import torch
from typing_extensions import override

from allmodes.engine.eager import EagerEngine
from allmodes.game.compose import CompositionError
from allmodes.game.composition import Composition, Term
from allmodes.game.losses import LossTerm
from allmodes.game.step import Context, Step
from allmodes.registry.faults import ContractError
from allmodes.registry.slots import Kind
from allmodes.specs import loading
from allmodes.specs.kinds import declared
from allmodes.specs.players import term_names
from allmodes.specs.source import SpecError
from allmodes.testing.composing import ComposedContract, ComposedSpec, take_due_turns
from allmodes.testing.seeds_under_vmap import due
from allmodes.testing.steps import find_gradients
from allmodes_schemas import KindConfig, LossTermConfig, Spec

LAST = 1_000_000


class TermInASpec(ComposedContract):
    """Base of the contract of a loss term: its position in a spec, and the players that it serves.

    Attributes:
        config: The term's settings.
    """

    base = LossTermConfig
    config: ClassVar[LossTermConfig]

    @override
    def within(self, values: dict[str, Any]) -> dict[str, Any]:
        # In place of the term of this kind, or of the game, or after the other terms.
        losses, place = values["losses"], self._find_place(values["losses"])
        return {**values, "losses": [*losses[:place], loading.plain(self.config), *losses[place + 1 :]]}

    @cached_property
    def iteration(self) -> int:
        """First iteration at which the term counts and every player that it serves has a turn."""
        composition = self.composed_spec.compose()
        term, served = self.find_term(composition), set(self.find_players(composition))
        for i in range(LAST):
            if term.counts(i) and served <= {player for turn in due(composition, i) for player in turn.players}:
                return i
        raise AssertionError(
            f"{self.name}: no turn of {', '.join(served)} is due while the term counts: mend the schedule"
        )

    def make_step(self) -> tuple[Composition, Step]:
        """Make a step in which every parameter requires its gradient."""
        composition = self.composed_spec.compose()
        weights = composition.weights(self.iteration)
        unroll = EagerEngine(composition).unroll
        return composition, Step(Context(composition, weights, self.iteration, unroll), self.composed_spec.draw())

    def make_moved_step(self) -> tuple[Composition, Step]:
        """Make a step after an update, whose parameters have moved a little further.

        A term may be 0 where a run begins: one that compares with averages of scores, or with a copy of a network.
        """
        composition, step = self.make_step()
        with suppress(ContractError):  # a loss without a gradient is what the step is looked at for
            take_due_turns(composition, self.composed_spec.draw(), self.iteration)
        for module in composition.modules.values():
            module.requires_grad_(True)
        generator = torch.Generator().manual_seed(1)
        for parameter in (parameter for module in composition.modules.values() for parameter in module.parameters()):
            parameter.data += 0.01 * torch.randn(parameter.shape, generator=generator)
        return composition, step

    def find_term(self, composition: Composition) -> Term:
        """Find the term in a composition."""
        name = term_names(self.composed_spec.spec.losses)[
            self._find_place(loading.plain(self.composed_spec.spec.losses))
        ]
        term = composition.terms[name]
        assert isinstance(term.loss, LossTerm), (
            f"{self.name}: build() must return an allmodes.LossTerm, not {term.loss!r}"
        )
        return term

    def find_players(self, composition: Composition) -> tuple[str, ...]:
        """Find the players of a composition that the term serves."""
        return tuple(player for player in self.find_term(composition).loss.losses() if player in composition.players)

    @override
    def place(self, settings: Any) -> dict[str, Any]:
        return {"losses": [settings]}

    @override
    def find(self, spec: Spec) -> KindConfig:
        return spec.losses[0]

    def _find_place(self, losses: list[dict[str, Any]]) -> int:
        """Find the position of the term among others, present or future."""
        kinds, terms = [loss["kind"] for loss in losses], self.registry.of(LossTermConfig)
        if self.name in kinds:
            return kinds.index(self.name)
        if self.config.is_game:
            return next(i for i, loss in enumerate(losses) if _is_game(loss, terms))
        return len(losses)

    def with_prior(self, prior: Mapping[str, Any]) -> ComposedSpec | None:
        """Compose the spec with another prior; None where it is refused."""
        size = self.composed_spec.spec.prior.parts().get("code") or 4
        try:
            made = ComposedSpec(loading.parse({**self.values(), "prior": {**prior, "dim": size}}, self.registry))
            made.compose()
        except (SpecError, CompositionError):
            return None
        return made

    def find_reached(self, composition: Composition, step: Step, player: str) -> set[str]:
        """Find the modules of a player with a parameter whose gradient is not zero."""
        value = self.find_term(composition).loss(step, player)
        if not value.requires_grad:
            return set()
        found = find_gradients(value, composition, *composition.players[player].modules)
        return {name for name, inner in found.items() if any(g is not None and bool(g.any()) for g in inner)}


def _is_game(loss: Mapping[str, Any], terms: Mapping[str, Kind]) -> bool:
    """Whether plain settings are those of a game, or of a wrapper of one."""
    config = terms[loss["kind"]].config
    return _is_game(loss[config.wraps], terms) if config.wraps else declared(config, "is_game", False)
