"""The eager engine: updates in place by autograd and torch's fused optimisers, for every term on every device."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from allmodes.engine import optimizers
from allmodes.engine.functional import unroll
from allmodes.engine.strays import StrayDraws
from allmodes.game.composition import Composition
from allmodes.game.loss_checks import check_gradient, kept_graphs
from allmodes.game.networks import Forward
from allmodes.game.parts import Rule, act
from allmodes.game.step import Context, Draw, Step
from allmodes.registry.faults import Call, ContractError, calling
from allmodes_schemas import TurnConfig

Losses: TypeAlias = dict[tuple[str, str], Tensor]
Outcome: TypeAlias = Losses | Exception
"""The losses of an update, or the error that ends the run."""
Gradients: TypeAlias = dict[str, tuple[Tensor | None, ...]]
"""The gradients of a player's parameters, in their order; None where the loss does not depend on one."""
Roles: TypeAlias = tuple[tuple[str, ...], frozenset[str], tuple[Rule, ...]]
"""The players of a turn, the modules that they train, and the parts that act after it."""


class Joint(Protocol):
    """What makes an update that of a batch of which each of several processes has a part."""

    def check(self, engine: EagerEngine, turn: TurnConfig, draw: Draw, iteration: int) -> None:
        """Raise an error where the parts' updates, averaged, would not be that of the whole batch."""

    def average(self, engine: EagerEngine, losses: Losses, gradients: Gradients) -> tuple[Losses, Gradients]:
        """The means over all processes."""


class EagerEngine:
    """Updates the modules of a composition in place with torch's fused optimisers.

    `joint` makes its updates those of a batch that several processes share, if they do.
    """

    def __init__(self, composition: Composition, joint: Joint | None = None) -> None:
        self.composition, self.joint = composition, joint
        self.parameters = {name: composition.parameters(name) for name in composition.players}
        self.optimizers = {
            name: optimizers.make_optimizer(player.optimizer, self.parameters[name])
            for name, player in composition.players.items()
        }
        self.scheduled = [
            name for name, player in composition.players.items() if optimizers.is_scheduled(player.optimizer)
        ]
        self.steppers = {name: optimizers.Stepper(optimizer) for name, optimizer in self.optimizers.items()}
        self.unroll = partial(unroll, composition, self.memory)
        self._trained: frozenset[str] | None = None
        self._switched: dict[tuple[frozenset[str] | None, frozenset[str]], list[tuple[nn.Parameter, bool]]] = {}
        self._taught = set[tuple[str, str]]()  # terms, by player, whose gradients were checked
        self._roles: dict[tuple[object, ...], Roles] = {}
        self.strays = StrayDraws(composition.modules)

    def update(self, turn: TurnConfig, draw: Draw, iteration: int = 0) -> Losses:
        """Take a turn on a draw; returns the value of each term by (player, term)."""
        if self.joint is not None:
            self.joint.check(self, turn, draw, iteration)
        step, gradients, rules = self._differentiate(turn, draw, iteration)
        losses = {name: value.detach() for name, value in step.losses.items()}  # a graph kept would fill the caches
        if self.joint is not None:
            losses, gradients = self.joint.average(self, losses, gradients)
        for player, gradient in gradients.items():
            self._step(player, gradient, iteration)
        if rules:
            act(step, rules)
        return losses

    def try_out(self, turn: TurnConfig, draw: Draw, iteration: int) -> tuple[Losses, Gradients]:
        """The losses and gradients of a turn, without a step; whoever calls puts back what parts change as they act."""
        step, gradients, rules = self._differentiate(turn, draw, iteration)
        act(step, rules)
        return step.losses, gradients

    def _differentiate(self, turn: TurnConfig, draw: Draw, iteration: int) -> tuple[Step, Gradients, tuple[Rule, ...]]:
        """The step of a turn with its losses, their gradients by player, and the parts that then act."""
        step, objectives, rules = self.compute(turn, draw, iteration)
        try:
            gradients: Gradients = {
                player: torch.autograd.grad(
                    loss, self.parameters[player], retain_graph=i + 1 < len(objectives), allow_unused=True
                )
                for i, (player, loss) in enumerate(objectives.items())
            }
        except RuntimeError as error:
            self._explain(error, step.losses)
            raise
        return step, gradients, rules

    def compute(self, turn: TurnConfig, draw: Draw, iteration: int) -> tuple[Step, dict[str, Tensor], tuple[Rule, ...]]:
        """The step of a turn with its losses, the objective () of each player, and the parts that then act."""
        weights = self.composition.weights(iteration)
        if (turn.player, *weights) in self._roles:
            return self._compute(turn, draw, iteration, weights)
        with self.strays.watched():  # the first time that it is taken with these terms
            return self._compute(turn, draw, iteration, weights)

    def _compute(
        self, turn: TurnConfig, draw: Draw, iteration: int, weights: Mapping[str, float]
    ) -> tuple[Step, dict[str, Tensor], tuple[Rule, ...]]:
        players, trained, rules = self._look_up(turn, weights)
        self._train_only(trained)
        context = Context(self.composition, weights, iteration, self.unroll)
        step = Step(context, draw, Forward(self.composition, trained, turn.inference))
        objectives = {player: self.composition.objective(player, step) for player in players}
        if not step.losses.keys() <= self._taught:
            self._check_gradients(step.losses)
        return step, objectives, rules

    def memory(self, player: str) -> optimizers.Memory:
        """A copy of the state of a player's optimiser, for the pure rule."""
        own = self.composition.named_parameters(player)
        return optimizers.memory(self.composition.players[player].optimizer, own, self.optimizers[player])

    def state_dict(self) -> dict[str, Any]:
        """A copy of the states of the optimisers, by player."""
        states = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        return tree_map_only(Tensor, torch.clone, states)  # type: ignore[no-any-return]

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the states of the optimisers of the same players."""
        for name, stepper in self.steppers.items():
            stepper.load_state_dict(state[name])

    def scale_rates(self, factor: float, players: Collection[str], iteration: int) -> None:
        """Multiply the learning rates of some players (none: of all), which go on at an iteration."""
        for name in players or tuple(self.optimizers):
            player = self.composition.players[name]
            config = optimizers.scale_rate(player.optimizer, factor)
            self.composition.players[name] = replace(player, optimizer=config)
            optimizers.set_schedule(self.optimizers[name], config, iteration)

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
        for parameter, learns in self._switches(trained):
            parameter.requires_grad_(learns)
        self._trained = trained

    def _switches(self, trained: frozenset[str]) -> list[tuple[nn.Parameter, bool]]:
        """The parameters that differ from those trained last, and whether they learn; all of them at first."""
        key = (self._trained, trained)
        if key not in self._switched:
            now, before = self._learning(trained), self._learning(self._trained or frozenset())
            different = now if self._trained is None else {p: on for p, on in now.items() if on != before[p]}
            self._switched[key] = list(different.items())
        return self._switched[key]

    def _learning(self, trained: frozenset[str]) -> dict[nn.Parameter, bool]:
        return {
            parameter: name in trained and f"{name}:{key}" not in self.composition.fixed
            for name, module in self.composition.modules.items()
            for key, parameter in module.named_parameters()
        }

    def _check_gradients(self, losses: Losses) -> None:
        """Check, the first time that a term is computed for a player, that the player learns from it."""
        for player, term in losses.keys() - self._taught:
            with calling(f"loss {term} of player {player!r}", self.composition.terms[term].loss):
                check_gradient(losses[player, term], self.parameters[player])
            self._taught.add((player, term))

    def _explain(self, error: RuntimeError, losses: Losses) -> None:
        """Raise an error of autograd in the name of the loss that kept a graph; note on any other whose losses failed.

        Raises ContractError.
        """
        terms = {name: (player, self.composition.terms[name].loss) for player, name in losses}
        for name, (player, term) in terms.items() if "second time" in str(error) else ():
            if kept := kept_graphs(term):
                with calling(f"gradient of loss {name} of player {player!r}", term):
                    advice = "state of a loss is a buffer that after_update writes, or is detached"
                    raise ContractError(f"it keeps {', '.join(kept)} and its graph for the next update: {advice}")
        error.add_note(
            Call(f"gradient of the losses of {' and '.join({p: p for p, _ in losses})} ({', '.join(terms)})")
        )

    def _step(self, player: str, gradients: Sequence[Tensor | None], iteration: int) -> None:
        if player in self.scheduled:
            optimizers.set_schedule(self.optimizers[player], self.composition.players[player].optimizer, iteration)
        self.steppers[player].step(gradients)


def attempt(engine: EagerEngine, turn: TurnConfig, draw: Draw, iteration: int) -> Outcome:
    """Take a turn in the eager engine; returns the losses or the error."""
    try:
        return engine.update(turn, draw, iteration)
    except Exception as error:
        return error
