"""Updates of one run by several processes: each takes a turn on its part of a batch, and gradients are averaged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeAlias

import torch

from allmodes.engine.coupling import check_uncoupled
from allmodes.engine.eager import EagerEngine, Gradients, Losses
from allmodes.engine.peers import Peers
from allmodes.game.composition import Composition
from allmodes.game.step import Draw
from allmodes_schemas import TurnConfig

Kind: TypeAlias = tuple[object, ...]
"""The players of a turn, the modules that run as in evaluation, and the terms that count."""


class JointUpdates:
    """Makes an engine's updates those of the whole batch, once each kind of turn was found to allow that.

    Args:
        peers: The processes.
        iterations: How many the run has.
    """

    def __init__(self, peers: Peers, iterations: int) -> None:
        self.peers, self.last = peers, iterations - 1
        self._tried = set[Kind]()

    def check(self, engine: EagerEngine, turn: TurnConfig, draw: Draw, iteration: int) -> None:
        """Raise CouplingError where a turn couples a batch: at first for all to come, so that none comes late."""
        if not self._tried:
            for other, at in turns_to_come(engine.composition, iteration, self.last):
                self._try(engine, other, draw, at)
        if _kind(engine.composition, turn, iteration) not in self._tried:
            self._try(engine, turn, draw, iteration)

    def average(self, engine: EagerEngine, losses: Losses, gradients: Gradients) -> tuple[Losses, Gradients]:
        """The means over all processes; a gradient of None counts as zero, as for optimisers."""
        self.peers.agree()
        parameters = [p for player in gradients for p in engine.parameters[player]]
        found = [g for player in gradients.values() for g in player]
        dense = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
        means = iter(self.peers.mean([*dense, *losses.values()]))
        averaged: Gradients = {player: tuple(islice(means, len(of))) for player, of in gradients.items()}
        return dict(zip(losses, means, strict=True)), averaged

    def _try(self, engine: EagerEngine, turn: TurnConfig, draw: Draw, iteration: int) -> None:
        if engine.composition.active(turn, engine.composition.weights(iteration)):
            check_uncoupled(engine, turn, draw, iteration)
        self._tried.add(_kind(engine.composition, turn, iteration))


def turns_to_come(composition: Composition, first: int, last: int) -> Iterator[tuple[TurnConfig, int]]:
    """The turns of a schedule from an iteration on, each when something begins, and at the end: terms may change."""
    starts = {first, last, *(term.start for term in composition.terms.values())}
    for turn in composition.schedule:
        for at in sorted(starts | {turn.start}):
            due = -(-at // turn.every) * turn.every
            if first <= due <= last and turn.due(due):
                yield turn, due


def _kind(composition: Composition, turn: TurnConfig, iteration: int) -> Kind:
    return (turn.players, turn.inference, *composition.weights(iteration))
