"""A composition: the modules, terms, players and turns of one experiment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from allmodes.game.loss_checks import check_value, functions_of
from allmodes.game.losses import LossTerm
from allmodes.game.networks import NestedTensors, Networks, Tensors, find_inside
from allmodes.game.parts import Rule, check_refits, find_rules
from allmodes.game.step import Step
from allmodes.registry.faults import FAULTS, ContractError, calling, fail
from allmodes.specs.players import Origin, check_modules, check_served, check_turn, term_module
from allmodes_schemas import OptimizerConfig, Ramp, Scheduled, TurnConfig, at


@dataclass(frozen=True)
class Player:
    """A named optimiser over named modules, and the component that brings the player, if it is none of the game's."""

    name: str
    modules: tuple[str, ...]
    optimizer: OptimizerConfig
    origin: Origin | None = None


@dataclass(frozen=True)
class Term:
    """A loss term with its factor and cadence."""

    name: str
    loss: LossTerm
    weight: Scheduled = 1.0
    every: int = 1
    start: int = 0

    @property
    def module(self) -> str:
        """The term's name among the modules."""
        return term_module(self.name)

    def counts(self, iteration: int) -> bool:
        """Whether the term contributes at an iteration."""
        return iteration >= self.start and iteration % self.every == 0


class Composition(Networks):
    """Modules, the players that train them, the terms of their objectives, and the turns that they take.

    Loss terms join the modules as `losses/<name>`. `fixed` are parameters, named `module:parameter`, that no player
    trains.

    Raises ValueError where players, turns or terms name modules or players that do not exist, or a simultaneous turn's
    players train the same module.
    """

    def __init__(
        self,
        modules: Mapping[str, nn.Module],
        terms: Iterable[Term],
        players: Iterable[Player],
        schedule: Iterable[TurnConfig],
        heads: frozenset[str] = frozenset(),
        precision: torch.dtype | None = None,
        fixed: frozenset[str] = frozenset(),
    ) -> None:
        self.terms = {term.name: term for term in terms}
        super().__init__({**modules, **{t.module: t.loss for t in self.terms.values()}}, heads, precision)
        self.players = {player.name: player for player in players}
        self.schedule, self.fixed = tuple(schedule), fixed
        losses = {term.name: functions_of(term.name, term.loss) for term in self.terms.values()}
        self.served = {p: tuple(t for t in self.terms.values() if p in losses[t.name]) for p in self.players}
        self.functions = {(p, t.name): losses[t.name][p] for p, terms in self.served.items() for t in terms}
        self._constant = self._constant_weights()
        self._check(losses)
        check_refits(self.modules)
        self.rules = tuple(find_rules(self.modules, self._owners(), self.players))

    def objective(self, player: str, step: Step) -> Tensor:
        """The weighted sum () of the active terms that serve a player; writes their values into `step.losses`."""
        total: Tensor | None = None
        for term in self.served[player]:
            if term.name in step.context.weights:
                step.forward.term[0] = term.name
                try:
                    value = step.losses[player, term.name] = step.forward.loss(
                        self.functions[player, term.name], term.module, step, player
                    )
                    check_value(value)
                except FAULTS as error:
                    fail(error, f"loss {term.name} of player {player!r}", term.loss)
                weighted = _weigh(value, step.context.weights[term.name])
                total = weighted if total is None else total + weighted
        if total is None:
            raise ValueError(f"no active loss term serves player {player!r} in this iteration")
        return total

    def weights(self, iteration: int) -> Mapping[str, float]:
        """The weights of the terms that count at an iteration, by name."""
        if self._constant is not None:
            return self._constant
        return {name: at(term.weight, iteration) for name, term in self.terms.items() if term.counts(iteration)}

    def active(self, turn: TurnConfig, weights: Collection[str]) -> tuple[str, ...]:
        """The players of a turn for which a term counts."""
        return tuple(p for p in turn.players if any(term.name in weights for term in self.served[p]))

    def rules_after(self, players: Collection[str], weights: Collection[str]) -> tuple[Rule, ...]:
        """The parts that act after an update of these players."""
        return tuple(rule for rule in self.rules if rule.applies(players, weights))

    def trained(self, players: Iterable[str]) -> frozenset[str]:
        """Names of the modules that the players train."""
        return frozenset(module for player in players for module in self.players[player].modules)

    def parameters(self, player: str) -> list[nn.Parameter]:
        """Parameters of a player's modules, without the fixed ones."""
        return list(self.named_parameters(player).values())

    def named_parameters(self, player: str) -> dict[str, nn.Parameter]:
        """Parameters of a player's modules, without the fixed ones, by `module:parameter`."""
        named = {
            f"{m}:{name}": p for m in self.players[player].modules for name, p in self.modules[m].named_parameters()
        }
        return {key: parameter for key, parameter in named.items() if key not in self.fixed}

    def own(self, player: str, tensors: NestedTensors) -> Tensors:
        """A player's parameters among nested tensors, by `module:parameter`."""
        keys = (key.partition(":") for key in self.named_parameters(player))
        return {f"{module}:{name}": tensors[module][name] for module, _, name in keys}

    def _owners(self) -> dict[str, list[str]]:
        """The players that train each module or, of a term, that it serves."""
        trained = {name: [p.name for p in self.players.values() if name in p.modules] for name in self.modules}
        return trained | {t.module: [p for p, terms in self.served.items() if t in terms] for t in self.terms.values()}

    def _constant_weights(self) -> Mapping[str, float] | None:
        varying = any(isinstance(t.weight, Ramp) or t.every > 1 or t.start for t in self.terms.values())
        return None if varying else {name: at(term.weight, 0) for name, term in self.terms.items()}

    def _check(self, losses: Mapping[str, Collection[str]]) -> None:
        for player in self.players.values():
            for message in check_modules(player.name, player.modules, self.modules):
                raise ValueError(message)
            self._check_player(player)
        trains = {name: player.modules for name, player in self.players.items()}
        for problem in (problem for turn in self.schedule for problem in check_turn(turn, trains, self.modules)):
            raise ValueError(problem.what)
        for term in self.terms.values():
            for message in check_served(term.name, losses[term.name], self.players):
                with calling(f"loss {term.name}", term.loss):
                    raise ContractError(message)
        for name in find_inside(self.modules, nn.modules.dropout._DropoutNd):
            what = f"{name} contains torch's Dropout, which draws from a global generator: use allmodes' Dropout"
            with calling(f"module {name}", self.code_of(name)):
                raise ContractError(what)

    def _check_player(self, player: Player) -> None:
        """Raise an error, in the name of whoever brings the player, where nobody teaches it or nothing in it learns."""
        origin, name, served = player.origin, player.name, self.served[player.name]
        if not served:
            if origin is None:
                raise ValueError(f"no loss term serves player {name!r}")
            with calling(origin.config.kind, origin.config):
                raise ContractError(origin.unserved(name, [p for p, terms in self.served.items() if terms]))
        if not self.parameters(name):
            trains = f"trains {', '.join(player.modules)}, where no parameter learns"
            if origin:
                with calling(origin.config.kind, origin.config):
                    raise ContractError(f"{origin.brings} player {name!r}, which {trains}")
            with calling(player.modules[0], self.code_of(player.modules[0])):
                raise ContractError(f"player {name!r} {trains}")


def _weigh(value: Tensor, weight: float | Tensor) -> Tensor:
    """A value times its weight, which is a tensor () where it differs from seed to seed."""
    if isinstance(weight, Tensor):
        return value * weight.to(value.dtype)
    return value if weight == 1.0 else value * weight
