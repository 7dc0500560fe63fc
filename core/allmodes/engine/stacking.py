"""The tensors of several runs stacked along a leading axis, of which each run's modules and optimisers are views.

So a lane's modules are valid at any time: what evaluates, averages or saves them need not know that they are stacked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise, product
from typing import Any, TypeAlias

import torch
from torch import Tensor

from allmodes.engine import optimizers
from allmodes.engine.differences import Differences, EngineError
from allmodes.engine.eager import EagerEngine
from allmodes.engine.functional import State, initial_state
from allmodes.engine.memory import held_tensors
from allmodes.game.composition import Composition

Snapshot: TypeAlias = Mapping[tuple[str, ...], Tensor]
"""Tensors by their keys from the top of a state."""
Span: TypeAlias = tuple[int, int, str]
"""The addresses from which and up to which a place has memory, and the place."""


class Stack:
    """Lanes of equal shapes, each with an eager engine, and their tensors (lanes, ...) as the state of an update.

    Raises EngineError, which says what differs, where lanes cannot be stacked; they are then as they were.
    """

    def __init__(self, engines: Sequence[EagerEngine]) -> None:
        self.engines = list(engines)
        self.composition = engines[0].composition
        self.differences = Differences([engine.composition for engine in engines])
        _check_separate(self.composition)
        self.device = next(self.composition.modules["generator"].parameters()).device
        self.state: State = stack([_state(engine) for engine in engines])
        for lane in range(len(engines)):
            self._adopt(lane)

    def release(self, lane: int) -> None:
        """Give a lane tensors of its own again, with the values that they have."""
        engine = self.engines[lane]
        for tensor in self._tensors(lane).values():
            tensor.data = tensor.data.clone()
        for player, optimizer in engine.optimizers.items():
            optimizers.release(optimizer)
            engine.steppers[player].forget()

    def gather(self, lane: int) -> bool:
        """Take over what was set anew in a lane, as a fit does that assigns tensors; whether all has its place."""
        tensors = self._tensors(lane)
        if len(tensors) != sum(map(len, (*self.state["parameters"].values(), *self.state["buffers"].values()))):
            return False
        places = {path: self.state[path[0]][path[1]].get(path[2]) for path in tensors}  # type: ignore[literal-required]
        return all(_move(tensor, places[path], lane) for path, tensor in tensors.items())

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Let the first lane's modules hold NaN within the block, for a turn that is given all tensors."""
        kept = [(tensor, tensor.data) for tensor in self._tensors(0).values() if tensor.is_floating_point()]
        for tensor, _ in kept:
            tensor.data = torch.full_like(tensor, torch.nan)
        try:
            yield
        finally:
            for tensor, data in kept:
                tensor.data = data

    def snapshot(self) -> Snapshot:
        """Copies of all stacked tensors."""
        return {path: tensor.clone() for path, tensor in leaves(self.state)}

    def restore(self, snapshot: Snapshot) -> None:
        """Write the values of a snapshot back."""
        for path, tensor in leaves(self.state):
            tensor.copy_(snapshot[path])

    def _adopt(self, lane: int) -> None:
        """Make the tensors of a lane views of the stacked ones."""
        engine = self.engines[lane]
        for (kind, module, key), tensor in self._tensors(lane).items():
            tensor.data = self.state[kind][module][key][lane]  # type: ignore[literal-required]
        for player, optimizer in engine.optimizers.items():
            named = engine.composition.named_parameters(player)
            optimizers.adopt(optimizer, named, pick(self.state["memories"][player], lane))
            engine.steppers[player].forget()

    def _tensors(self, lane: int) -> dict[tuple[str, str, str], Tensor]:
        modules = {n: m for n, m in self.engines[lane].composition.modules.items() if n in self.state["parameters"]}
        parameters = {("parameters", name, k): p for name, m in modules.items() for k, p in m.named_parameters()}
        return parameters | {("buffers", name, k): b for name, m in modules.items() for k, b in m.named_buffers()}


def _move(tensor: Tensor, stacked: Tensor | None, lane: int) -> bool:
    """Make a tensor a view of the stacked one, which takes its values; whether it has that shape."""
    if stacked is None or tensor.shape != stacked.shape[1:] or tensor.dtype != stacked.dtype:
        return False
    if tensor.data_ptr() != stacked[lane].data_ptr():
        stacked[lane].copy_(tensor.detach())
        tensor.data = stacked[lane]
    return True


def _state(engine: EagerEngine) -> State:
    """The state of a lane, without its sampler, which trains nothing and changes at each evaluation."""
    state = initial_state(engine.composition)
    memories = {player: engine.memory(player) for player in engine.composition.players}
    for tensors in (state["parameters"], state["buffers"]):
        tensors.pop("sampler", None)
    return {"parameters": state["parameters"], "buffers": state["buffers"], "memories": memories}


def _check_separate(composition: Composition) -> None:
    """Raise EngineError where two places hold the same memory: stacked, each would have its own."""
    places: dict[int, str] = {}
    spans: list[tuple[int, int, str]] = []
    for name, module in composition.modules.items():
        for key, tensor in (*module.named_parameters(), *module.named_buffers()):
            if (other := places.setdefault(id(tensor), f"{name}.{key}")) != f"{name}.{key}":
                raise EngineError(f"{other} and {name}.{key} are the same tensor")
            spans.append((*_span(tensor), f"{name}.{key}"))
    held = [(*_span(tensor), place) for place, tensor in held_tensors(composition) if id(tensor) not in places]
    for (_, end, one), (start, _, other) in (*pairwise(sorted(spans)), *_overlaps(spans, held)):
        if start < end:
            raise EngineError(f"{one} and {other} share memory")


def _overlaps(spans: Sequence[Span], others: Sequence[Span]) -> Iterator[tuple[Span, Span]]:
    """Pairs of spans, one of each, that have addresses in common, the earlier one first."""
    for one, other in product(spans, others):
        if max(one[0], other[0]) < min(one[1], other[1]):
            yield min(one, other), max(one, other)


def _span(tensor: Tensor) -> tuple[int, int]:
    """The address of a tensor's first entry, and that after its last one."""
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    start = tensor.data_ptr()
    return start, start + (last + 1) * tensor.element_size() if tensor.numel() else start


def stack(trees: Sequence[Any]) -> Any:
    """Stack nested dictionaries of tensors along a new first axis."""
    first = trees[0]
    return {k: stack([t[k] for t in trees]) for k in first} if isinstance(first, dict) else torch.stack(list(trees))


def pick(tree: Any, lane: int) -> Any:
    """The views of one lane in nested dictionaries of stacked tensors."""
    return {k: pick(t, lane) for k, t in tree.items()} if isinstance(tree, dict) else tree[lane]


def leaves(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """The tensors of nested dictionaries, with their keys from the top."""
    if isinstance(tree, Tensor):
        yield path, tree
    else:
        for key, inner in tree.items():
            yield from leaves(inner, (*path, key))
