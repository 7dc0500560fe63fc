"""The batches and the noise of a turn for several runs, each from streams of its own, stacked along a leading axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.batch import Batch
from allmodes.game.noise import Noise
from allmodes.game.step import Draw

Tree = dict[str, Any]
"""Nested dictionaries of tensors, which vmap accepts."""


class Asked(NamedTuple):
    """A tensor of noise that a turn asks for."""

    name: str
    shape: tuple[int, ...]
    is_normal: bool


class RecordingNoise(Noise):
    """Noise that remembers what it was asked for, in order."""

    def __init__(
        self,
        generator: torch.Generator | None,
        drawn: dict[str, Tensor],
        place: str = "",
        asked: dict[str, Asked] | None = None,
    ) -> None:
        super().__init__(generator, drawn, place)
        self.asked = {} if asked is None else asked

    @override
    def at(self, place: str) -> Noise:
        return RecordingNoise(self.generator, self.drawn, f"{self.place}{place}/", self.asked)

    @override
    def _draw(self, distribution: Callable[..., Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
        key = self.place + name
        self.asked.setdefault(key, Asked(key, shape, distribution is torch.randn))
        return super()._draw(distribution, name, shape)


class Drawer:
    """Draws batches and noise of lanes into tensors (lanes, ...) that stay where they are."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self._noise: dict[tuple[str, tuple[int, ...]], tuple[Tensor, list[Tensor]]] = {}
        self._batches: tuple[list[Batch], Tree] = [], {}

    def noise(self, asked: Sequence[Asked], draws: Mapping[int, Draw]) -> dict[str, Tensor]:
        """Draw what is asked for and was not drawn yet, by each lane's own generator, in order."""
        tensors = {}
        for name, shape, is_normal in asked:
            tensors[name], views = self._place(name, shape, draws)
            for lane, draw in draws.items():
                drawn = draw.noise.drawn
                if name not in drawn:
                    view, generator = views[lane], draw.noise.generator
                    drawn[name] = view.normal_(generator=generator) if is_normal else view.uniform_(generator=generator)
        return tensors

    def batch(self, draws: Mapping[int, Draw]) -> Tree:
        """The batches of lanes, stacked; those of a shared draw are still there."""
        batches = [draw.batch for draw in draws.values()]
        last, tree = self._batches
        if list(map(id, batches)) != list(map(id, last)):
            _stack([to_tree(batch) for batch in batches], list(draws), tree, self.lanes)
            self._batches = batches, tree
        return tree

    def _place(self, name: str, shape: tuple[int, ...], draws: Mapping[int, Draw]) -> tuple[Tensor, list[Tensor]]:
        if (name, shape) not in self._noise:
            device = next(iter(draws.values())).batch.x.device
            tensor = torch.zeros(self.lanes, *shape, device=device)
            self._noise[name, shape] = tensor, list(tensor.unbind(0))
        return self._noise[name, shape]


def _stack(trees: Sequence[Tree], lanes: Sequence[int], into: Tree, size: int) -> Tree:
    """Stack trees along a new first axis of a size, in the tensors of a tree that has them already."""
    for key, value in trees[0].items():
        inside = [tree[key] for tree in trees]
        if isinstance(value, dict):
            into[key] = _stack(inside, lanes, into.get(key, {}), size)
        elif key not in into or into[key].shape[1:] != value.shape:
            into[key] = value.new_zeros(size, *value.shape)
        if isinstance(value, Tensor):
            _write(inside, lanes, into[key])
    return into


def _write(tensors: Sequence[Tensor], lanes: Sequence[int], into: Tensor) -> None:
    if len(lanes) == len(into):
        torch.stack(list(tensors), out=into)
    else:
        for lane, tensor in zip(lanes, tensors, strict=True):
            into[lane].copy_(tensor)


def to_tree(batch: Batch) -> Tree:
    """A batch as nested dictionaries of tensors."""
    fields = {"x": batch.x, "labels": batch.labels, "index": batch.index}
    named = {name: tensor for name, tensor in fields.items() if tensor is not None}
    return {**named, "streams": {name: to_tree(stream) for name, stream in batch.streams.items()}}


def to_batch(tree: Tree) -> Batch:
    """The batch that nested dictionaries of tensors stand for."""
    streams = {name: to_batch(inner) for name, inner in tree["streams"].items()}
    return Batch(tree["x"], tree.get("labels"), tree.get("index"), streams)
