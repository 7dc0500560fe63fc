"""The costs of a run: real items, updates of each player, parameters of each module."""

from __future__ import annotations

from collections import Counter

from torch import nn

from allmodes.game.composition import Composition


def costs(composition: Composition, batch_size: int, iterations: int) -> dict[str, int]:
    """Counts after a number of iterations: `items`, `updates/<player>` and `parameters/<module>`.

    Items are real ones, `batch_size` for each fresh draw; a draw that turns share counts once. Updates within
    a term (an unrolled discriminator) and items of labelled streams are not counted.
    """
    counts: Counter[str] = Counter()
    for iteration in range(iterations):
        _count(counts, composition, iteration)
    counts["items"] = batch_size * counts.pop("draws", 0)
    return {**counts, **{f"parameters/{name}": _size(module) for name, module in composition.modules.items()}}


def _count(counts: Counter[str], composition: Composition, iteration: int) -> None:
    """Add the draws and updates of one iteration."""
    weights, drawn = composition.weights(iteration), False
    for turn in composition.schedule:
        if turn.due(iteration):
            counts["draws"] += turn.times if turn.draw == "fresh" else not drawn
            drawn = True
            counts.update({f"updates/{player}": turn.times for player in composition.active(turn, weights)})


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
