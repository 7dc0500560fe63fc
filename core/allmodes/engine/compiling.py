"""A whole turn as one compiled function: its operations are traced once and compiled by torch's Inductor.

The trace runs the turn's Python once and writes down the operations on tensors that come of it, below `vmap` and
`vjp`, so that whatever can be stacked can be traced, a plugin's code included, and nothing is ever compiled again.
What the trace takes for a constant must therefore be one: numbers that vary come as tensors, and an attribute that
changes as the turn is taken is refused.
"""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from allmodes.engine.differences import EngineError, plain_attributes
from allmodes.registry.faults import describe
from allmodes.system.caches import cache_folder

log = logging.getLogger(__name__)

Function: TypeAlias = Callable[..., dict[Any, Tensor]]
"""Takes a state and further nested dictionaries of tensors, writes into the state, and returns named tensors."""
OPTIONS: Mapping[str, Any] = {"compile_threads": 1}
"""Inductor's settings: it starts no processes of its own, since a study has a worker on each core."""
FOLDER = "TORCHINDUCTOR_CACHE_DIR"
NONE: Mapping[str, nn.Module] = {}


class Trace(NamedTuple):
    """The operations of a turn, and the names of the tensors that it returns."""

    graph: GraphModule
    names: list[Any]


class Input(NamedTuple):
    """A tensor that a compiled turn reads: its keys from the top of the arguments, and its shape."""

    keys: tuple[Any, ...]
    shape: torch.Size

    def find(self, tree: Any) -> Tensor:
        """The tensor among arguments. Raises EngineError where it has another shape."""
        for key in self.keys:
            tree = tree[key]
        if tree.shape != self.shape:
            where = ".".join(map(str, self.keys[1:]))
            raise EngineError(f"{where} is now {tuple(tree.shape)}, and was compiled for {tuple(self.shape)}")
        found: Tensor = tree
        return found


class CompiledTurn:
    """A turn on the state that it was compiled for, whose tensors it writes into."""

    def __init__(self, run: Callable[..., Sequence[Tensor]], names: Sequence[Any], arguments: Sequence[Any]) -> None:
        self.run, self.names, self.state = run, names, arguments[0]
        paths = [(tuple(_key(k) for k in path), t) for path, t in pytree.tree_flatten_with_path(tuple(arguments))[0]]
        self.bound = [tensor for keys, tensor in paths if keys[0] == 0]
        self.inputs = [Input(keys, tensor.shape) for keys, tensor in paths if keys[0] != 0]

    def __call__(self, *arguments: Any) -> dict[Any, Tensor]:
        """Take the turn. Raises EngineError, before anything has changed, where a shape is another one."""
        assert arguments[0] is self.state, "a compiled turn is that of one state"
        given = [wanted.find(arguments) for wanted in self.inputs]
        return dict(zip(self.names, self.run(*self.bound, *given), strict=True))


def compile_turn(
    function: Function, arguments: Sequence[Any], modules: Mapping[str, nn.Module] = NONE
) -> CompiledTurn:
    """Compile a function for arguments of these shapes, which stay as they are; the first one is the state.

    Raises EngineError where there is no C++ compiler, the function cannot be traced or compiled, or taking it changes
    an attribute of `modules`, those that it runs.
    """
    if not any(tensor.is_cuda for tensor in pytree.tree_leaves(arguments)):
        check_compiler()
    try:
        with torch.no_grad():
            names, graph = trace(function, arguments, modules)
            with _caching():
                run = torch._inductor.compile(graph, pytree.tree_leaves(arguments), options=dict(OPTIONS))
    except EngineError:
        raise
    except Exception as error:
        log.debug("compiling a turn failed", exc_info=True)
        raise EngineError(_in_short(error)) from error
    return CompiledTurn(run, names, arguments)
