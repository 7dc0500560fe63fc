"""The update as a pure function from state, batch and noise to the new state: the reference for every engine.

It runs under `torch.func.vmap` (all seeds of a spec at once, a leading seed axis on every tensor) and inside one
`torch.compile`, because nothing in it depends on the values of tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypedDict

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes.data.batch import Batch
from allmodes.engine import optimizers
from allmodes.game.composition import Composition
from allmodes.game.networks import Forward, NestedTensors, Networks, Tensors, call_method
from allmodes.game.noise import Noise
from allmodes.game.parts import act
from allmodes.game.step import Context, Draw, Step
from allmodes_schemas import TurnConfig


class State(TypedDict):
    """Everything that an update changes, as nested dictionaries of tensors."""

    parameters: NestedTensors
    buffers: NestedTensors
    memories: dict[str, optimizers.Memory]


def initial_state(composition: Composition) -> State:
    """A copy of the modules' parameters and buffers, and empty optimiser memories."""
    modules = composition.modules.items()
    parameters = {name: {k: p.detach().clone() for k, p in m.named_parameters()} for name, m in modules}
    buffers = {name: {k: b.detach().clone() for k, b in m.named_buffers()} for name, m in modules}
    memories = {
        name: optimizers.memory(player.optimizer, composition.own(name, parameters))
        for name, player in composition.players.items()
    }
    return {"parameters": parameters, "buffers": buffers, "memories": memories}


class Knobs(NamedTuple):
    """Numbers of a turn that may differ from iteration to iteration and from seed to seed: floats or tensors ().

    Attributes:
        iteration: The iteration, from 0.
        weights: Those of the terms that count, by name.
        optimizers: The values of each player's optimiser.
    """

    iteration: int | Tensor
    weights: Mapping[str, optimizers.Value]
    optimizers: Mapping[str, optimizers.Values]


def knobs_at(composition: Composition, iteration: int) -> Knobs:
    """The numbers of a composition at an iteration."""
    players = composition.players.items()
    values = {name: optimizers.values_at(player.optimizer, iteration) for name, player in players}
    return Knobs(iteration, composition.weights(iteration), values)


def update(
    composition: Composition,
    turn: TurnConfig,
    state: State,
    x: Tensor,
    noise: Mapping[str, Tensor],
    labels: Tensor | None = None,
    iteration: int = 0,
    streams: Mapping[str, Batch] | None = None,
) -> State:
    """The state after a turn on a batch (and its named streams), with noise that was drawn before."""
    draw = Draw(Batch(x, labels, streams=streams or {}), Noise(None, dict(noise)))
    return advance(composition, turn, state, draw, knobs_at(composition, iteration))[0]


class Differentiated(NamedTuple):
    """What the losses of a turn gave, before any player steps.

    Attributes:
        losses: The value of each term by (player, term).
        gradients: Of each player's parameters, by `module:parameter`.
        buffers: As the forward passes have left them.
        memo: What was computed, for the parts that act after the update.
    """

    losses: dict[tuple[str, str], Tensor]
    gradients: dict[str, Tensors]
    buffers: NestedTensors
    memo: dict[Hashable, Any]


def advance(
    composition: Composition, turn: TurnConfig, state: State, draw: Draw, knobs: Knobs
) -> tuple[State, dict[tuple[str, str], Tensor]]:
    """The state after a turn on a draw, and the value of each term by (player, term).

    Tensors that the turn leaves as they are remain the same objects.
    """
    if not composition.active(turn, knobs.weights):  # no term is due
        return state, {}
    found = differentiate(composition, turn, state, draw, knobs)
    memories, parameters = dict(state["memories"]), state["parameters"]
    for player, gradients in found.gradients.items():
        config, own = composition.players[player].optimizer, composition.own(player, state["parameters"])
        own, memories[player] = optimizers.update(config, own, gradients, memories[player], knobs.optimizers[player])
        parameters = merge(parameters, own)
    after: State = {"parameters": parameters, "buffers": found.buffers, "memories": memories}
    return follow(composition, turn, after, draw, knobs, found.memo), found.losses


def differentiate(composition: Composition, turn: TurnConfig, state: State, draw: Draw, knobs: Knobs) -> Differentiated:
    """The losses of a turn on a draw and their gradients."""
    players, parameters = composition.active(turn, knobs.weights), state["parameters"]
    ahead = partial(unroll, composition, state["memories"].__getitem__, values_of=knobs.optimizers.__getitem__)
    context = Context(composition, knobs.weights, knobs.iteration, ahead)
    own = {k: p for player in players for k, p in composition.own(player, parameters).items()}
    losses = partial(_losses, composition, turn, context, draw, players, state)
    # One vjp for all players: they share the forward pass, and BatchNorm advances in the same order as in eager turns.
    _, pull_back, (buffers, memo, values) = torch.func.vjp(losses, own, has_aux=True)  # type: ignore[misc]
    one = torch.ones((), device=draw.batch.x.device)
    gradients: dict[str, Tensors] = {}
    for i, player in enumerate(players):
        # The cotangent that picks this player's loss gives the gradients of all; its own are used.
        (found,) = pull_back(tuple(one if j == i else torch.zeros_like(one) for j in range(len(players))))
        gradients[player] = {key: found[key] for key in composition.own(player, parameters)}
    return Differentiated(values, gradients, buffers, memo)


def follow(
    composition: Composition, turn: TurnConfig, state: State, draw: Draw, knobs: Knobs, memo: Mapping[Hashable, Any]
) -> State:
    """The state after the parts that act after an update."""
    players = composition.active(turn, knobs.weights)
    rules = composition.rules_after(players, knobs.weights)
    if not rules:
        return state
    parameters, buffers = copy_tensors(state["parameters"]), copy_tensors(state["buffers"])  # rules write in place
    forward = FunctionalForward(composition, _join(parameters, buffers), composition.trained(players), turn.inference)
    act(Step(Context(composition, knobs.weights, knobs.iteration), draw, forward, memo), rules)
    return {"parameters": parameters, "buffers": buffers, "memories": state["memories"]}


def _losses(
    composition: Composition,
    turn: TurnConfig,
    context: Context,
    draw: Draw,
    players: tuple[str, ...],
    state: State,
    own: Tensors,
) -> tuple[tuple[Tensor, ...], tuple[NestedTensors, dict[Hashable, Any], dict[tuple[str, str], Tensor]]]:
    buffers = copy_tensors(state["buffers"])
    tensors = _join(merge(state["parameters"], own), buffers)
    forward = FunctionalForward(composition, tensors, composition.trained(players), turn.inference)
    step = Step(context, draw, forward)
    losses = tuple(composition.objective(player, step) for player in players)
    return losses, (buffers, step.memo.tensors() if composition.rules else {}, step.losses)


class FunctionalForward(Forward):
    """Runs modules with tensors by module and name in the place of their own parameters and buffers."""

    def __init__(
        self,
        networks: Networks,
        tensors: NestedTensors,
        trained: Collection[str] = frozenset(),
        inference: Collection[str] = (),
    ) -> None:
        super().__init__(networks, trained, inference)
        self._tensors = tensors

    @override
    def frozen_copy(self) -> Forward:
        return self._share_term(FunctionalForward(self.networks, self._tensors, inference=self.inference))

    @override
    def run(self, name: str, inputs: tuple[Any, ...], method: str = "forward") -> Any:
        module, tensors = self.networks.modules[name], self._tensors[name]
        if method == "forward":
            return torch.func.functional_call(module, tensors, inputs)
        named = {f"module.{key}": value for key, value in tensors.items()}
        return torch.func.functional_call(_Method(module, method), named, inputs)

    @override
    def act(self, module: str, path: str, step: Step) -> None:
        self.run(module, (step,), f"{path}.after_update" if path else "after_update")

    @override
    def tensor(self, module: str, name: str) -> Tensor:
        if name in self._tensors.get(module, ()):
            return self._tensors[module][name]
        return super().tensor(module, name)  # raises, in words

    @override
    def tensors(self) -> NestedTensors:
        return self._tensors

    @override
    def loss(self, function: Callable[[Any], Tensor], module: str, step: object, player: str) -> Tensor:
        if not self._tensors[module]:
            return function(step)
        scalar: Tensor = self.run(module, (step, player))
        return scalar

    @override
    def separate(self, view: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return view  # functional gradients need no nodes of their own

    @override
    def gradients(self, judge: Callable[..., Any], view: tuple[Tensor, ...], scores: Tensor) -> tuple[Tensor, ...]:
        def total(*view: Tensor) -> Tensor:
            score: Tensor = judge(*view)[0]
            return score.sum()

        gradients: tuple[Tensor, ...] = torch.func.grad(total, argnums=tuple(range(len(view))))(*view)
        return gradients


class _Method(nn.Module):
    """Another method of a module as `forward`, for a functional call."""

    def __init__(self, module: nn.Module, path: str) -> None:
        super().__init__()
        self.module, self.path = module, path

    def forward(self, *inputs: Any) -> Any:
        return call_method(self.module, self.path, *inputs)


def unroll(
    composition: Composition,
    memory_of: Callable[[str], optimizers.Memory],
    step: Step,
    player: str,
    updates: int,
    within: frozenset[str] = frozenset(),
    values_of: Callable[[str], optimizers.Values] | None = None,
) -> Step:
    """The step after differentiable updates of a player on the same draw (Unrolled GAN, Metz et al., 2017, eq. 8).

    `within` are players whose updates are being looked ahead of. Raises LookupError for one of them, whose losses would
    ask for themselves without end, or for a player who does not exist, and ValueError for fewer than no updates.
    """
    _check_ahead(composition, player, updates, within)
    draw, inference = Draw(step.batch, step.noise), step.forward.inference
    ahead_of = partial(unroll, composition, memory_of, within=within | {player}, values_of=values_of)
    context = step.context._replace(unroll=ahead_of)
    config = composition.players[player].optimizer
    values = values_of(player) if values_of else optimizers.values_at(config, int(context.iteration))
    tensors, memory = step.forward.tensors(), memory_of(player)

    def loss(own: Tensors, rest: NestedTensors) -> Tensor:
        forward = FunctionalForward(composition, merge(rest, own), inference=inference)
        return composition.objective(player, Step(context, draw, forward))

    for _ in range(updates):
        own = composition.own(player, tensors)
        gradients = torch.func.grad(partial(loss, rest=tensors))(own)
        own, memory = optimizers.update(config, own, gradients, memory, values)
        tensors = merge(tensors, own)
    ahead = FunctionalForward(composition, tensors, inference=inference)
    ahead.to_advance = step.forward.to_advance  # one turn: whichever step runs a module first advances its statistics
    ahead.term = step.forward.term
    return Step(step.context, draw, ahead)


def _check_ahead(composition: Composition, player: str, updates: int, within: frozenset[str]) -> None:
    asked = f"step.after({player!r}, {updates})"
    if player not in composition.players:
        raise LookupError(f"{asked}: there is no such player: the players are {', '.join(composition.players)}")
    if player in within:
        raise LookupError(
            f"{asked}: the losses of {player!r} cannot look ahead of the updates that they themselves give"
        )
    if updates < 0:
        raise ValueError(f"{asked}: a number of updates is 0 or more")


def copy_tensors(tensors: NestedTensors) -> NestedTensors:
    """A copy of nested tensors."""
    return {name: {key: value.clone() for key, value in inside.items()} for name, inside in tensors.items()}


def _join(parameters: NestedTensors, buffers: NestedTensors) -> NestedTensors:
    return {name: {**parameters[name], **buffers[name]} for name in parameters}


def merge(tensors: NestedTensors, own: Tensors) -> NestedTensors:
    """Nested tensors with some replaced, which are named `module:parameter`."""
    merged = {module: dict(inside) for module, inside in tensors.items()}
    for key, value in own.items():
        module, _, name = key.partition(":")
        merged[module][name] = value
    return merged
