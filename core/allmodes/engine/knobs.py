"""The numbers of stacked runs that differ from run to run or from iteration to iteration, as tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypedDict

import torch
from torch import Tensor

from allmodes.engine import optimizers
from allmodes.engine.differences import Differences
from allmodes.engine.functional import Knobs
from allmodes.game.composition import Composition
from allmodes_schemas import at

Numbers = dict[str, Tensor]


class Varying(TypedDict):
    """Tensors that a turn reads: those of `weights`, `optimizers` and `attributes` have an entry for each lane.

    They stay where they are; only their values change.
    """

    iteration: Tensor
    weights: Numbers
    optimizers: dict[str, Numbers]
    attributes: list[Tensor]


AXES: Mapping[str, int | None] = {"iteration": None, "weights": 0, "optimizers": 0, "attributes": 0}
"""The axis of lanes of each, for vmap."""


class Dials:
    """Keeps the varying numbers of lanes; all others stay Python numbers, which cost nothing.

    Attributes:
        varying: Their values at the `iteration` that they were turned to last.
    """

    def __init__(self, compositions: Sequence[Composition], differences: Differences, device: torch.device) -> None:
        self.compositions, self.differences = compositions, differences
        self._scheduled: list[tuple[Tensor, Callable[[Composition, int], float]]] = []
        self._device, self.iteration = device, -1
        self.varying = Varying(
            iteration=torch.zeros((), dtype=torch.int64, device=device),
            weights=dict(self._weights()),
            optimizers={player: dict(self._values(player)) for player in compositions[0].players},
            attributes=differences.tensors(device),
        )

    def turn_to(self, iteration: int) -> None:
        """Set the numbers to those of an iteration."""
        if iteration == self.iteration:
            return
        self.iteration = iteration
        self.varying["iteration"].fill_(iteration)
        for tensor, read in self._scheduled:
            _write(tensor, [read(c, iteration) for c in self.compositions])

    def knobs(self, names: Sequence[str], varying: Varying) -> Knobs:
        """The numbers of one lane, within vmap: of the terms that count, by name, and of all optimisers."""
        first = self.compositions[0]
        weights = {name: varying["weights"].get(name, _weight(first, 0, name)) for name in names}
        fixed = {name: optimizers.values_at(player.optimizer, 0) for name, player in first.players.items()}
        values: dict[str, optimizers.Values] = {n: {**fixed[n], **varying["optimizers"][n]} for n in fixed}
        return Knobs(varying["iteration"], weights, values)

    @contextmanager
    def attributes(self, values: Sequence[Tensor]) -> Iterator[None]:
        """Let attributes of the first lane's modules have a lane's values within the block."""
        modules, before = self.compositions[0].modules, list[tuple[dict[str, Any], str, Any]]()
        for (module, path, name), value in self.differences.fill(values):
            inside = vars(modules[module].get_submodule(path))
            before.append((inside, name, inside[name]))
            inside[name] = value
        try:
            yield
        finally:
            for inside, name, value in before:
                inside[name] = value

    def _weights(self) -> Iterator[tuple[str, Tensor]]:
        for name in self.compositions[0].terms:
            yield from self._dial(name, partial(_weight, term=name))

    def _values(self, player: str) -> Iterator[tuple[str, Tensor]]:
        for key in optimizers.values_at(self.compositions[0].players[player].optimizer, 0):
            yield from self._dial(key, partial(_value, player=player, key=key))

    def _dial(self, name: str, read: Callable[[Composition, int], float]) -> Iterator[tuple[str, Tensor]]:
        """A tensor for a number that differs, which is set anew at each iteration if it is scheduled."""
        start, end = ([read(c, i) for c in self.compositions] for i in (0, optimizers.FOREVER))
        if len({*start, *end}) > 1:
            # float64, so that 1 - beta2 loses no digits; beside tensors with axes it counts as a plain number
            tensor = torch.tensor(start, dtype=torch.float64, device=self._device)
            if start != end:
                self._scheduled.append((tensor, read))
            yield name, tensor


def _write(tensor: Tensor, values: Sequence[float]) -> None:
    """Write numbers into a tensor, without waiting for its device: from pinned memory, which torch keeps until then."""
    tensor.copy_(torch.tensor(values, dtype=torch.float64, pin_memory=tensor.is_cuda), non_blocking=True)


def _weight(composition: Composition, iteration: int, term: str) -> float:
    return at(composition.terms[term].weight, iteration)


def _value(composition: Composition, iteration: int, player: str, key: str) -> float:
    return optimizers.values_at(composition.players[player].optimizer, iteration)[key]
