"""The operations on tensors that a function comes to, written down once: Python is out of the way from then on.

The trace runs the function's Python once, below `vmap` and `vjp`, so that whatever can be stacked can be traced, a
plugin's code included. What it takes for a constant must be one: numbers that vary come as tensors, and an attribute
that changes as a turn is taken is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._guards import TracingContext, tracing
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from allmodes.engine.differences import EngineError, plain_attributes
from allmodes.engine.simplify import simplify

SIMPLE = (bool, int, float, complex, str, bytes, type(None))
"""Values that are compared by what they are, not by which object they are."""


class Trace:
    """A function as operations, from the leaves of its arguments to those of what it returns.

    Attributes:
        graph: The operations.
    """

    def __init__(self, graph: GraphModule, structure: pytree.TreeSpec) -> None:
        self.graph = graph
        self._places = pytree.tree_unflatten(list(range(structure.num_leaves)), structure)

    def __call__(self, leaves: Sequence[Tensor]) -> Any:
        """What the function returns, from the leaves of its arguments."""
        return self.restore(self.graph.forward(*leaves))

    def restore(self, leaves: Sequence[Tensor]) -> Any:
        """What the function returns, from its leaves."""
        return _replace(self._places, leaves)


def _replace(places: Any, leaves: Sequence[Tensor]) -> Any:
    """Leaves in the place of their numbers in nested dictionaries, lists and tuples."""
    if isinstance(places, int):
        return leaves[places]
    if type(places) is dict:
        return {key: _replace(inner, leaves) for key, inner in places.items()}
    if type(places) in (list, tuple):
        return type(places)(_replace(inner, leaves) for inner in places)
    return pytree.tree_map(lambda place: leaves[place], places)


def trace(function: Callable[..., Any], arguments: Sequence[Any], modules: Mapping[str, nn.Module]) -> Trace:
    """The operations of a function of nested dictionaries of tensors of these shapes.

    The arguments stay as they are. Raises EngineError where the function changes an attribute of a module.
    """
    tensors, inside = pytree.tree_flatten(tuple(arguments))
    structures: list[pytree.TreeSpec] = []

    def flat(*tensors: Tensor) -> list[Tensor]:
        leaves, structure = pytree.tree_flatten(function(*pytree.tree_unflatten(list(tensors), inside)))
        structures.append(structure)
        return leaves

    before = read_attributes(modules)
    with torch.no_grad(), _one_fake_mode():
        graph = make_fx(flat)(*[tensor.clone() for tensor in tensors])
    check_constant(before, read_attributes(modules))
    simplify(graph)
    return Trace(graph, structures[-1])


@contextmanager
def _one_fake_mode() -> Iterator[None]:
    """Let make_fx note all shapes by one fake mode: it makes one for each operation, which takes half of its time."""
    with tracing(TracingContext(FakeTensorMode(allow_fallback_kernels=True))):
        yield


def read_attributes(modules: Mapping[str, nn.Module]) -> dict[str, Any]:
    """The attributes of modules, and of those within, by their places."""
    inside = ((f"{name}.{path}".rstrip("."), inner) for name, m in modules.items() for path, inner in m.named_modules())
    return {f"{where}.{name}": _frozen(vars(m)[name]) for where, m in inside for name in plain_attributes(m)}


def check_constant(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Raise EngineError where an attribute has changed."""
    if changed := [place for place, value in after.items() if place not in before or before[place] != value]:
        raise EngineError(f"a turn changes the attribute {changed[0]}, which only a buffer may keep")


def _frozen(value: Any) -> Any:
    """What tells whether a value is still the same one: of a container, what is inside."""
    if isinstance(value, dict):
        return [(key, _frozen(inner)) for key, inner in value.items()]
    if isinstance(value, list | tuple | set):
        return [_frozen(inner) for inner in value]
    return value if isinstance(value, SIMPLE) else id(value)
