"""A turn of stacked lanes as functions that write into the stacked state: in parts, or as a whole."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from allmodes.engine.draws import Tree, to_batch
from allmodes.engine.eager import Losses
from allmodes.engine.functional import Knobs, State, advance, differentiate, follow
from allmodes.engine.knobs import AXES, Dials, Varying
from allmodes.engine.optimizers import StackedStepper
from allmodes.engine.stacking import leaves
from allmodes.engine.tracing import Trace, trace
from allmodes.game.composition import Composition
from allmodes.game.networks import Tensors
from allmodes.game.noise import Noise
from allmodes.game.step import Draw
from allmodes_schemas import TurnConfig


class Arguments(NamedTuple):
    """What a turn reads, stacked: tensors that stay where they are, in nested dictionaries."""

    state: State
    batch: Tree
    noise: Tensors
    varying: Varying


class StackedTurn(NamedTuple):
    """A turn of all lanes with the terms that count, as functions of stacked tensors.

    Each writes what it changes into the tensors of the state.
    """

    composition: Composition
    turn: TurnConfig
    terms: tuple[str, ...]
    dials: Dials

    def take(self, state: State, batch: Tree, noise: Tensors, varying: Varying) -> Losses:
        """The whole turn; returns the losses (lanes,)."""

        def one(state: State, draw: Draw, knobs: Knobs) -> Any:
            new, losses = advance(self.composition, self.turn, state, draw, knobs)
            return changed(new, state), losses

        written, losses = self._map(one, Arguments(state, batch, noise, varying))
        write(written, state)
        return losses  # type: ignore[no-any-return]

    def differentiate(
        self, state: State, batch: Tree, noise: Tensors, varying: Varying
    ) -> tuple[Losses, dict[str, Tensors], dict[Hashable, Any]]:
        """The losses (lanes,), the gradients of each player's parameters, and what was computed."""

        def one(state: State, draw: Draw, knobs: Knobs) -> Any:
            losses, gradients, buffers, memo = differentiate(self.composition, self.turn, state, draw, knobs)
            return changed({**state, "buffers": buffers}, state), losses, gradients, memo

        written, *found = self._map(one, Arguments(state, batch, noise, varying))
        write(written, state)
        losses, gradients, memo = found
        return losses, gradients, memo

    def follow(
        self, state: State, batch: Tree, noise: Tensors, varying: Varying, memo: Mapping[Hashable, Any]
    ) -> dict[str, Tensor]:
        """Let parts act after the update."""

        def one(state: State, draw: Draw, knobs: Knobs, memo: Mapping[Hashable, Any]) -> Any:
            return changed(follow(self.composition, self.turn, state, draw, knobs, memo), state)

        write(self._map(one, Arguments(state, batch, noise, varying), memo), state)
        return {}

    def _map(self, one: Any, arguments: Arguments, *further: Any) -> Any:
        """Run a function of one lane's state, draw and numbers for all lanes."""

        def lane(state: State, batch: Tree, noise: Tensors, varying: Varying, *further: Any) -> Any:
            with self.dials.attributes(varying["attributes"]):
                draw, knobs = Draw(to_batch(batch), Noise(None, dict(noise))), self.dials.knobs(self.terms, varying)
                return one(state, draw, knobs, *further)

        axes = (0, 0, 0, dict(AXES), *(0 for _ in further))
        return torch.func.vmap(lane, in_dims=axes)(*arguments, *further)


def changed(new: State, old: State) -> Tensors:
    """The tensors of a state that are not those of an older one, by their keys."""
    before = dict(leaves(old))
    return {path: tensor for path, tensor in leaves(new) if tensor is not before[path]}  # type: ignore[misc]


def write(tensors: Tensors, state: State) -> None:
    """Write tensors into those of a state that have the same keys."""
    if tensors:
        into = dict(leaves(state))
        torch._foreach_copy_([into[path] for path in tensors], list(tensors.values()))  # type: ignore[index]


class TracedTurn:
    """A turn as operations that were traced once, and steps by torch's fused optimisers."""

    def __init__(self, turn: StackedTurn, arguments: Arguments, make_stepper: Callable[[str], StackedStepper]) -> None:
        self.turn, self.arguments = turn, arguments
        self.leaves = tree_leaves(tuple(arguments))
        self.modules = turn.composition.modules
        self.players = turn.composition.active(turn.turn, turn.terms)
        self.steppers = {player: make_stepper(player) for player in self.players}
        self.differentiate = trace(turn.differentiate, arguments, self.modules)
        self.follow: Trace | None = None

    def __call__(self, state: State, batch: Tree, noise: Tensors, varying: Varying) -> Losses:
        """Take it; the arguments are those that it was made for."""
        losses, gradients, memo = self.differentiate(self.leaves)
        for player, stepper in self.steppers.items():
            stepper.step(gradients[player], self.turn.dials.iteration)
        if self.turn.composition.rules_after(self.players, self.turn.terms):
            self._follow(memo)
        return losses  # type: ignore[no-any-return]

    def _follow(self, memo: Mapping[Hashable, Any]) -> None:
        if self.follow is None:
            self.follow = trace(self.turn.follow, (*self.arguments, memo), self.modules)
        self.follow([*self.leaves, *tree_leaves(memo)])
