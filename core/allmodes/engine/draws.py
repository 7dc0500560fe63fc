"""The batches and the noise of a turn for several runs, each from streams of its own, stacked along a leading axis."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from allmodes.data.batch import Batch
from allmodes.engine.differences import EngineError
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
    """Writes batches and noise of lanes into tensors (lanes, ...) that stay where they are.

    Attributes:
        tree: The batches, stacked.
    """

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.tree: Tree = {}
        self._written: list[Batch] = []
        self._noise: dict[Asked, tuple[Tensor, list[Tensor]]] = {}

    def write_noise(self, asked: Sequence[Asked], draws: Mapping[int, Draw]) -> None:
        """Draw what is asked for and was not drawn yet, by each lane's own generator, in order.

        What was drawn elsewhere, as by an engine that could not go on, is taken over.
        """
        wanted = [(one.name, one.is_normal, self._place(one, draws)[1]) for one in asked]
        for lane, draw in draws.items():
            drawn, generator = draw.noise.drawn, draw.noise.generator
            for name, is_normal, views in wanted:
                view = views[lane]
                if name in drawn:
                    drawn[name] = drawn[name] if drawn[name] is view else view.copy_(drawn[name])
                else:
                    drawn[name] = view.normal_(generator=generator) if is_normal else view.uniform_(generator=generator)

    def find(self, asked: Sequence[Asked]) -> dict[str, Tensor]:
        """The tensors of noise by name."""
        return {one.name: self._noise[one][0] for one in asked}

    def write_batches(self, draws: Mapping[int, Draw]) -> None:
        """Stack the batches of lanes; those of a shared draw are still there. Raises EngineError for another shape."""
        batches = [draw.batch for draw in draws.values()]
        if len(batches) != len(self._written) or any(map(operator.is_not, batches, self._written)):
            _stack([to_tree(batch) for batch in batches], list(draws), self.tree, self.lanes)
            self._written = batches

    def _place(self, asked: Asked, draws: Mapping[int, Draw]) -> tuple[Tensor, list[Tensor]]:
        if asked not in self._noise:
            device = next(iter(draws.values())).batch.x.device
            tensor = torch.zeros(self.lanes, *asked.shape, device=device)
            self._noise[asked] = tensor, list(tensor.unbind(0))
        return self._noise[asked]


def _stack(trees: Sequence[Tree], lanes: Sequence[int], into: Tree, size: int) -> None:
    """Write trees into the tensors of another one, which are made at first, along a first axis of a size."""
    into.update(into or {key: _make_room(value, size) for key, value in trees[0].items()})
    for tree in trees:
        if tree.keys() != into.keys():
            raise EngineError(f"one batch has {', '.join(into)} and another one {', '.join(tree)}")
    for key, room in into.items():
        inside = [tree[key] for tree in trees]
        if isinstance(room, dict):
            _stack(inside, lanes, room, size)
        else:
            _check_forms(room[0], inside)
            _write(inside, lanes, room)


def _make_room(value: Any, size: int) -> Any:
    return {} if isinstance(value, dict) else value.new_zeros(size, *value.shape)


def _check_forms(first: Tensor, others: Sequence[Tensor]) -> None:
    for other in others:
        if other.shape != first.shape:
            shapes = f"{tuple(first.shape)} and {tuple(other.shape)}"
            raise EngineError(f"batches are of other shapes from one to the next: {shapes}")
        if other.dtype != first.dtype:
            raise EngineError(f"batches are of other types from one to the next: {first.dtype} and {other.dtype}")


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
