"""The eager engine: updates in place by autograd and torch's fused optimisers, for every term on every device."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from allmodes.engine import optimizers
from allmodes.engine.functional import unroll
from allmodes.game.composition import Composition
from allmodes.game.loss_checks import check_gradient
from allmodes.game.networks import Forward
from allmodes.game.parts import Rule, act
from allmodes.game.step import Context, Draw, Step
from allmodes.registry.faults import calling
from allmodes_schemas import TurnConfig

Losses: TypeAlias = dict[tuple[str, str], Tensor]
Roles: TypeAlias = tuple[tuple[str, ...], frozenset[str], tuple[Rule, ...]]
"""The players of a turn, the modules that they train, and the parts that act after it."""


class EagerEngine:
    """Updates the modules of a composition in place with torch's fused optimisers."""

    def __init__(self, composition: Composition) -> None:
        self.composition = composition
        self.parameters = {name: composition.parameters(name) for name in composition.players}
        self.optimizers = {
            name: optimizers.make_optimizer(player.optimizer, self.parameters[name])
            for name, player in composition.players.items()
        }
        self.scheduled = [
            name for name, player in composition.players.items() if optimizers.is_scheduled(player.optimizer)
        ]
        self.unroll = partial(unroll, composition, self.memory)
        self._trained: frozenset[str] | None = None
        self._taught = set[tuple[str, str]]()  # terms, by player, whose gradients were checked
        self._roles: dict[tuple[object, ...], Roles] = {}

    def update(self, turn: TurnConfig, draw: Draw, iteration: int = 0) -> Losses:
        """Take a turn on a draw; returns the value of each term by (player, term)."""
        weights = self.composition.weights(iteration)
        players, trained, rules = self._look_up(turn, weights)
        self._train_only(trained)
        context = Context(self.composition, weights, iteration, self.unroll)
        step = Step(context, draw, Forward(self.composition, trained, turn.inference))
        losses = [self.composition.objective(player, step) for player in players]
        if not step.losses.keys() <= self._taught:
            self._check_gradients(step.losses)
        for i, (player, loss) in enumerate(zip(players, losses, strict=True)):
            self._differentiate(loss, self.parameters[player], keep=i + 1 < len(players))
        for player in players:
            self._step(player, iteration)
        if rules:
            act(step, rules)
        return step.losses

    def memory(self, player: str) -> optimizers.Memory:
        """A copy of the state of a player's optimiser, for the pure rule."""
        own = self.composition.named_parameters(player)
        return optimizers.memory(self.composition.players[player].optimizer, own, self.optimizers[player])

    def state_dict(self) -> dict[str, Any]:
        """The states of the optimisers, by player."""
        return {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the states of the optimisers of the same players."""
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state[name])

    def _look_up(self, turn: TurnConfig, weights: Mapping[str, float]) -> Roles:
        """The roles of a turn, looked up once for each set of active terms."""
        key = (turn.player, *weights)
        if key not in self._roles:
            players = self.composition.active(turn, weights)
            rules = self.composition.rules_after(players, weights)
            self._roles[key] = players, self.composition.trained(players), rules
        return self._roles[key]

    def _train_only(self, trained: frozenset[str]) -> None:
        """Let exactly the trained modules' parameters require gradients, so that autograd skips all others."""
        if trained is self._trained:
            return
        for name, module in self.composition.modules.items():
            for key, parameter in module.named_parameters():
                parameter.requires_grad_(name in trained and f"{name}:{key}" not in self.composition.fixed)
        self._trained = trained

    def _check_gradients(self, losses: Losses) -> None:
        """Check, the first time that a term is computed for a player, that the player learns from it."""
        for player, term in losses.keys() - self._taught:
            with calling(f"loss {term} of player {player!r}", self.composition.terms[term].loss):
                check_gradient(losses[player, term], self.parameters[player])
            self._taught.add((player, term))

    @staticmethod
    def _differentiate(loss: Tensor, parameters: list[nn.Parameter], keep: bool) -> None:
        gradients = torch.autograd.grad(loss, parameters, retain_graph=keep, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            optimizers.set_gradient(parameter, gradient)

    def _step(self, player: str, iteration: int) -> None:
        if player in self.scheduled:
            optimizers.set_schedule(self.optimizers[player], self.composition.players[player].optimizer, iteration)
        self.optimizers[player].step()
