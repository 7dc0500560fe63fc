"""The graphed engine: the stacked engine's turns as CUDA graphs, each captured once and replayed from then on.

A graph repeats the same kernels on the same addresses. The stacked engine suits it: state, batches, noise and varying
numbers stay where they are, noise is drawn before the turn by each lane's own generator, and nothing in a turn depends
on values. `tests/gpu/check.sh` runs it; `docs/results/gpu.md` has what came out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from typing_extensions import override

from allmodes.engine.differences import EngineError
from allmodes.engine.draws import Tree
from allmodes.engine.eager import EagerEngine, Losses
from allmodes.engine.functional import State
from allmodes.engine.knobs import Varying
from allmodes.engine.stacked import Run, StackedEngine
from allmodes.engine.stacking import Stack
from allmodes.engine.tracing import trace
from allmodes.engine.turns import Arguments, StackedTurn
from allmodes.game.networks import Tensors
from allmodes.registry import faults

WARM_UPS = 3
"""Calls before a capture: libraries choose kernels and make room in the first ones, which no capture may hold."""

Call: TypeAlias = Callable[[], Tensor]


class GraphedEngine(StackedEngine):
    """Updates lanes by replayed CUDA graphs: one for each set of terms that count together.

    Raises EngineError where there is no CUDA device, or lanes cannot be stacked.
    """

    name = "graphed"

    def __init__(self, engines: Sequence[EagerEngine]) -> None:
        device = next(engines[0].composition.modules["generator"].parameters()).device
        check_device(device)
        self._stream = SideStream(device)
        super().__init__(engines)

    @override
    def _make(self, turn: StackedTurn, arguments: Arguments) -> Run:
        return GraphedTurn(turn, arguments, self.stack, self._stream)


class SideStream:
    """A stream of its own, where turns are warmed up and captured: neither may happen on the default stream."""

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def call(self, call: Call) -> None:
        """Call something there, in order with the work before and after."""
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            call()
        current.wait_stream(self._stream)

    def capture(self, call: Call) -> tuple[Callable[[], None], Tensor]:
        """Capture what a call does, without doing it; returns what does it on the current stream, and where it writes.

        Threads that load data may go on: this one alone may not wait for the device.
        """
        graph = torch.cuda.CUDAGraph()
        capturing = torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local")
        with torch.cuda.stream(self._stream), capturing:  # a capture that fails leaves its stream to the outer block
            result = call()
        return graph.replay, result


def check_device(device: torch.device) -> None:
    """Raise EngineError where there are no CUDA graphs."""
    if device.type != "cuda":
        remedy = "set training.device to cuda, or training.engine to auto"
        raise EngineError(f"it needs a CUDA device, and this is trained on {device}: {remedy}")


class GraphedTurn:
    """A turn, with the steps of its players, as a graph of a trace.

    Raises EngineError, with the state as it was, where it cannot be captured.
    """

    def __init__(self, turn: StackedTurn, arguments: Arguments, stack: Stack, stream: SideStream) -> None:
        names: list[tuple[str, str]] = []
        traced, leaves = trace(turn.take, arguments, turn.composition.modules), tree_leaves(tuple(arguments))

        def call() -> Tensor:
            losses: Losses = traced(leaves)
            names[:] = losses
            return torch.stack(list(losses.values()))

        self._names, self._call = names, call  # which keeps what the graph reads, the constants of the trace among it
        try:
            with torch.no_grad():
                _warm_up(call, stack, stream)
                self._replay, self._losses = stream.capture(call)
        except Exception as error:
            raise EngineError(_explain(error)) from error

    def __call__(self, state: State, batch: Tree, noise: Tensors, varying: Varying) -> Losses:
        """Take it; the arguments are those that it was made for. The losses (lanes,) are in tensors of their own."""
        self._replay()
        return dict(zip(self._names, self._losses.clone().unbind(0), strict=True))  # the next replay writes over them


def _warm_up(call: Call, stack: Stack, stream: SideStream) -> None:
    """Call a few times, and undo it."""
    before = stack.snapshot()
    try:
        for _ in range(WARM_UPS):
            stream.call(call)
    finally:
        stack.restore(before)


def _explain(error: BaseException) -> str:
    """Why a capture failed, by the error that came first: the end of a capture that has failed raises one more."""
    while isinstance(error.__context__, Exception):
        error = error.__context__
    return f"a turn cannot be captured: {faults.describe(error).splitlines()[0]}"
