"""A whole turn as one compiled function: its operations are traced once and compiled by torch's Inductor.

The trace runs the turn's Python once and writes down the operations on tensors that come of it, below `vmap` and
`vjp`, so that whatever can be stacked can be traced, a plugin's code included, and nothing is ever compiled again.
What the trace takes for a constant must therefore be one: numbers that vary come as tensors, and an attribute that
changes as the turn is taken is refused.
"""

from __future__ import annotations

import logging
import os
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
from allmodes.system.paths import cache_folder

log = logging.getLogger(__name__)

Function: TypeAlias = Callable[..., dict[Any, Tensor]]
"""Takes a state and further nested dictionaries of tensors, writes into the state, and returns named tensors."""
OPTIONS: Mapping[str, Any] = {"compile_threads": 1}
"""Inductor's settings: it starts no processes of its own, since a study has a worker on each core."""
FOLDER = "TORCHINDUCTOR_CACHE_DIR"
NEEDED = "install g++ or clang, or name one in the environment's CXX"
LONGEST = 300
SIMPLE = (bool, int, float, complex, str, bytes, type(None))
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


def compile_turn(function: Function, arguments: Sequence[Any], modules: Mapping[str, nn.Module] = NONE) -> CompiledTurn:
    """Compile a function for arguments of these shapes, which stay as they are; the first one is the state.

    Raises EngineError where there is no C++ compiler, the function cannot be traced or compiled, or taking it changes
    an attribute of `modules`, those that it runs.
    """
    if not any(tensor.is_cuda for tensor in pytree.tree_leaves(arguments)):
        check_compiler()
    try:
        with torch.no_grad():
            graph, names = trace(function, arguments, modules)
            with _caching():
                run = torch._inductor.compile(graph, pytree.tree_leaves(arguments), options=dict(OPTIONS))
    except EngineError:
        raise
    except Exception as error:
        log.debug("compiling a turn failed", exc_info=True)
        raise EngineError(_in_short(error)) from error
    return CompiledTurn(run, names, arguments)


def check_compiler() -> None:
    """Raise EngineError where there is no C++ compiler that runs."""
    from torch._inductor.cpp_builder import get_cpp_compiler  # loads Inductor, which takes seconds

    try:
        get_cpp_compiler()
    except Exception as error:
        raise EngineError(f"there is no C++ compiler: {NEEDED}") from error


def trace(function: Function, arguments: Sequence[Any], modules: Mapping[str, nn.Module] = NONE) -> Trace:
    """The operations of a function of arguments of these shapes, and the names of what it returns.

    Raises EngineError where taking the turn changes an attribute of a module.
    """
    tensors, structure = pytree.tree_flatten(tuple(arguments))
    names: list[Any] = []

    def flat(*tensors: Tensor) -> list[Tensor]:
        found = function(*pytree.tree_unflatten(list(tensors), structure))
        names.extend(found)
        return list(found.values())

    before = _attributes(modules)
    graph = make_fx(flat)(*[tensor.clone() for tensor in tensors])
    _check_constant(before, _attributes(modules))
    return Trace(graph, names)


def _attributes(modules: Mapping[str, nn.Module]) -> dict[str, Any]:
    """The attributes of modules, and of those within, by their places."""
    inside = ((f"{name}.{path}".rstrip("."), inner) for name, m in modules.items() for path, inner in m.named_modules())
    return {f"{where}.{name}": _frozen(vars(m)[name]) for where, m in inside for name in plain_attributes(m)}


def _frozen(value: Any) -> Any:
    """What tells whether a value is still the same one: of a container, what is inside."""
    if isinstance(value, dict):
        return [(key, _frozen(inner)) for key, inner in value.items()]
    if isinstance(value, list | tuple | set):
        return [_frozen(inner) for inner in value]
    return value if isinstance(value, SIMPLE) else id(value)


def _check_constant(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    if changed := [place for place, value in after.items() if place not in before or before[place] != value]:
        raise EngineError(f"a turn changes the attribute {changed[0]}, which only a buffer may keep")


def _key(entry: Any) -> Any:
    """A step from a container to what is inside."""
    return entry.key if isinstance(entry, pytree.MappingKey) else entry.idx


@contextmanager
def _caching() -> Iterator[None]:
    """Let Inductor keep what it compiles in the user's cache folder, unless the environment names another one."""
    before = os.environ.get(FOLDER)
    os.environ[FOLDER] = before or str(cache_folder() / "compiled")
    try:
        yield
    finally:
        if before is None:
            del os.environ[FOLDER]


def _in_short(error: Exception) -> str:
    """An error in one line: that of torch at times fills a page."""
    line = " ".join(describe(error).partition("\n")[0].split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
