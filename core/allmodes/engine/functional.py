"""The update as a pure function, the rule to which every engine is held: (state, batch, noise) to new state.

It runs under `torch.func.vmap` (all seeds of a spec at once, a leading seed axis on every tensor) and inside one
`torch.compile`, because nothing in it depends on the values of tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TypedDict

import torch
from torch import Tensor

from allmodes.engine import optimizers
from allmodes.game.composition import Composition
from allmodes.game.noise import Noise
from allmodes.game.step import Batch, Context, Draw, FunctionalStep, NestedTensors, Tensors, merge
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


def update(
    composition: Composition,
    turn: TurnConfig,
    state: State,
    x: Tensor,
    noise: Mapping[str, Tensor],
    labels: Tensor | None = None,
    iteration: int = 0,
    streams: Mapping[str, Batch] = MappingProxyType({}),
) -> State:
    """The state after a turn on a batch (and its named streams) with noise that was drawn ahead."""
    weights = composition.weights(iteration)
    players = composition.active(turn, weights)
    if not players:  # no term is due
        return state
    context = Context(composition, weights, iteration, state["memories"].__getitem__, turn.inference)
    draw = Draw(Batch(x, labels, streams=streams), Noise(None, dict(noise)))
    own = {k: p for player in players for k, p in composition.own(player, state["parameters"]).items()}
    losses = partial(_losses, context, draw, players, state)
    _, pull_back, buffers = torch.func.vjp(losses, own, has_aux=True)  # type: ignore[misc]
    one = torch.ones((), device=x.device)
    parameters, memories = state["parameters"], dict(state["memories"])
    for i, player in enumerate(players):
        # The cotangent that picks this player's loss gives the gradients of all; its own are used.
        (gradients,) = pull_back(tuple(one if j == i else torch.zeros_like(one) for j in range(len(players))))
        config, mine = composition.players[player].optimizer, composition.own(player, state["parameters"])
        mine, memories[player] = optimizers.update(config, mine, gradients, memories[player], iteration)
        parameters = merge(parameters, mine)
    return {"parameters": parameters, "buffers": buffers, "memories": memories}


def _losses(
    context: Context, draw: Draw, players: tuple[str, ...], state: State, own: Tensors
) -> tuple[tuple[Tensor, ...], NestedTensors]:
    buffers = {name: {k: b.clone() for k, b in inside.items()} for name, inside in state["buffers"].items()}
    parameters = merge(state["parameters"], own)
    tensors = {name: {**parameters[name], **buffers[name]} for name in parameters}
    step = FunctionalStep(context, draw, tensors, context.composition.trained(players))
    losses = tuple(context.composition.objective(player, step) for player in players)
    return losses, buffers
