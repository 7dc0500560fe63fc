"""The same updates twice: seed by seed in place, and for all seeds at once as one pure function under vmap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from allmodes.data.batch import Batch
from allmodes.engine.eager import EagerEngine
from allmodes.engine.functional import State, initial_state, update
from allmodes.game.composition import Composition
from allmodes.game.noise import Noise
from allmodes.game.step import Draw
from allmodes_schemas import TurnConfig

RTOL, ATOL = 2e-4, 2e-5
"""How far float32 sums in another order may differ after a few updates."""

Transform = Callable[[Callable[..., State]], Callable[..., State]]


@dataclass
class EagerRun:
    """Turns of a composition: its first state, and the batch and the noise of each turn."""

    composition: Composition
    start: State
    turns: list[tuple[int, TurnConfig]] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    noises: list[dict[str, Tensor]] = field(default_factory=list)


def run_eagerly(
    composition: Composition, batches: Iterator[Batch], generator: torch.Generator, iterations: Sequence[int] = (0, 1)
) -> EagerRun:
    """Take every due turn of each iteration eagerly."""
    run, engine = EagerRun(composition, initial_state(composition)), EagerEngine(composition)
    draw: Draw | None = None
    for iteration, turn in ((i, turn) for i in iterations for turn in due(composition, i)):
        draw = draw.reuse() if draw and turn.draw == "shared" else Draw(next(batches), Noise(generator))
        engine.update(turn, draw, iteration)
        run.turns.append((iteration, turn))
        run.batches.append(draw.batch)
        run.noises.append(draw.noise.drawn)
    return run


def due(composition: Composition, iteration: int) -> list[TurnConfig]:
    """List the turns of an iteration for which some term counts, each as often as it is taken."""
    weights = composition.weights(iteration)
    turns = [turn for turn in composition.schedule if turn.due(iteration) and composition.active(turn, weights)]
    return [turn for turn in turns for _ in range(turn.times)]


def run_stacked(runs: Sequence[EagerRun], transform: Transform = lambda f: f) -> State:
    """Take the same turns for all runs at once; the state has a leading axis of seeds."""
    composition, state = runs[0].composition, stack([run.start for run in runs])
    for i, (iteration, turn) in enumerate(runs[0].turns):

        def one(state: State, tree: Any, noise: Any, turn: TurnConfig = turn, iteration: int = iteration) -> State:
            batch = _batch(tree)
            return update(composition, turn, state, batch.x, noise, batch.labels, iteration, batch.streams)

        batches, noises = stack([_tree(run.batches[i]) for run in runs]), stack([run.noises[i] for run in runs])
        state = transform(torch.func.vmap(one))(state, batches, noises)
    return state  # type: ignore[no-any-return]


def compare_runs(runs: Sequence[EagerRun], stacked: State) -> int:
    """Compare a stacked state with the modules of the eager runs; returns the number of tensors that changed."""
    moved = 0
    for seed, run in enumerate(runs):
        for name, module in run.composition.modules.items():
            parameters, buffers = dict(module.named_parameters()), dict(module.named_buffers())
            for key, value in parameters.items():
                _close(stacked["parameters"][name][key][seed], value, f"{name}.{key}")
                moved += int(not torch.equal(value, run.start["parameters"][name][key]))
            for key, buffer in buffers.items():
                _close(stacked["buffers"][name][key][seed], buffer, f"{name}.{key}")
    return moved


def stack(trees: Sequence[Any]) -> Any:
    """Stack nested dictionaries of tensors along a new first axis."""
    first = trees[0]
    return {k: stack([t[k] for t in trees]) for k in first} if isinstance(first, dict) else torch.stack(list(trees))


def _close(one: Tensor, other: Tensor, name: str) -> None:
    torch.testing.assert_close(
        one, other.detach(), rtol=RTOL, atol=ATOL, msg=lambda text: f"{name} under vmap is not that of one seed: {text}"
    )


def _tree(batch: Batch) -> dict[str, Any]:
    """Turn a batch into nested dictionaries, which vmap accepts."""
    labels = {} if batch.labels is None else {"labels": batch.labels}
    return {"x": batch.x, **labels, "streams": {name: _tree(stream) for name, stream in batch.streams.items()}}


def _batch(tree: dict[str, Any]) -> Batch:
    return Batch(
        tree["x"], tree.get("labels"), streams={name: _batch(inner) for name, inner in tree["streams"].items()}
    )
