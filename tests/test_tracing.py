"""Traces of functions of stacked tensors: the same results by fewer operations, and nothing that varies is baked in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.functional import linear

from allmodes.engine.compiling import copy_one_by_one
from allmodes.engine.differences import EngineError
from allmodes.engine.simplify import simplify
from allmodes.engine.tracing import trace

LANES, BATCH = 3, 5


def tensors(*shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def of_layers(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return linear(torch.tanh(linear(x, w, b)), w, b)


def and_gradients(x: Tensor, w: Tensor, b: Tensor) -> Any:
    return torch.func.grad(lambda x, w, b: of_layers(x, w, b).square().sum(), argnums=(0, 1, 2))(x, w, b)


def and_penalty(x: Tensor, w: Tensor, b: Tensor) -> Any:
    def slope(w: Tensor, b: Tensor) -> Tensor:
        return torch.func.grad(lambda x: of_layers(x, w, b).sum())(x).square().sum()

    return torch.func.grad(slope, argnums=(0, 1))(w, b)


@pytest.mark.parametrize("function", [of_layers, and_gradients, and_penalty])
def test_a_simplified_trace_computes_the_same_with_fewer_operations(function: Callable[..., Any]) -> None:
    inputs = tensors((LANES, BATCH, 4), (LANES, 4, 4), (LANES, 4))
    stacked = torch.func.vmap(function)
    graph = make_fx(stacked)(*inputs)
    before = len(graph.graph.nodes)
    simplify(graph)
    torch.testing.assert_close(graph(*inputs), stacked(*inputs))
    assert len(graph.graph.nodes) < 0.7 * before


def test_layers_are_one_operation_each() -> None:
    inputs = tensors((LANES, BATCH, 4), (LANES, 4, 4), (LANES, 4))
    graph = make_fx(torch.func.vmap(of_layers))(*inputs)
    simplify(graph)
    targets = [str(node.target) for node in graph.graph.nodes if node.op == "call_function"]
    assert targets.count("aten.baddbmm.default") == 2
    assert not {"aten.bmm.default", "aten.add.Tensor", "aten.mul.Scalar", "aten.expand.default"} & set(targets)


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_a_bias_of_another_type_is_added_to_the_product(dtype: torch.dtype) -> None:
    x, w, b = tensors((LANES, BATCH, 4), (LANES, 4, 4), (LANES, 4))
    inputs = x, w, (8 * b).to(dtype)
    graph = make_fx(torch.func.vmap(lambda x, w, b: x @ w + b))(*inputs)
    expected = graph(*inputs)
    simplify(graph)
    torch.testing.assert_close(graph(*inputs), expected)


def test_a_copy_that_is_written_or_returned_stays_one() -> None:
    def function(x: Tensor) -> Tensor:
        copied = torch.ops.aten.mul.Scalar(x, 1)
        x.add_(1)
        return copied

    (x,) = tensors((LANES,))
    graph = make_fx(function)(x.clone())
    simplify(graph)
    torch.testing.assert_close(graph(x.clone()), x)


def test_transpositions_of_other_axes_stay() -> None:
    inputs = tensors((2, 3, 4))
    graph = make_fx(lambda x: x.transpose(0, 1).transpose(1, 2) + x.transpose(-1, 1).transpose(1, 2).permute(1, 2, 0))(
        *inputs
    )
    expected = graph(*inputs)
    simplify(graph)
    torch.testing.assert_close(graph(*inputs), expected)


def test_a_trace_gives_back_the_containers_of_its_function() -> None:
    def function(state: dict[str, Tensor], x: Tensor) -> Any:
        return {"sum": state["w"] + x}, [x * 2], {("a", "b"): (x,)}

    w, x = tensors((2,), (2,))
    traced = trace(function, ({"w": w}, x), {})
    assert traced([w, x + 1]).__class__ is tuple
    torch.testing.assert_close(traced([w, x + 1]), function({"w": w}, x + 1))


def test_a_trace_leaves_its_arguments_alone() -> None:
    (x,) = tensors((2,))
    before = x.clone()
    trace(lambda x: x.add_(1), (x,), {})
    assert torch.equal(x, before)


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls, self.seen = 0, list[int]()

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls


class Noting(Counting):
    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(1)
        return x * len(self.seen)


@pytest.mark.parametrize(("module", "attribute"), [(Counting(), "calls"), (Noting(), "seen")])
def test_an_attribute_that_changes_is_refused(module: nn.Module, attribute: str) -> None:
    with pytest.raises(EngineError) as error:
        trace(module, tensors((2,)), {"losses/counting": nn.Sequential(module)})
    message = f"a turn changes the attribute losses/counting.0.{attribute}, which only a buffer may keep"
    assert str(error.value) == message


def test_what_is_compiled_writes_each_tensor_by_a_copy_of_its_own() -> None:
    """Inductor's one kernel for a list of them reads on CUDA what it writes."""

    def step(weight: Tensor, moment: Tensor, gradient: Tensor) -> Tensor:
        new = 0.9 * moment + gradient
        torch._foreach_copy_([weight, moment], [weight - new / new.norm(), new])
        return new.sum()

    traced = trace(step, tensors((4, 3), (4, 3), (4, 3)), {})
    single = copy_one_by_one(traced.graph)
    targets = [str(node.target) for node in single.graph.nodes]
    assert [targets.count(f"aten.{name}.default") for name in ("_foreach_copy_", "copy_")] == [0, 2]
    assert "aten._foreach_copy_.default" in [str(node.target) for node in traced.graph.graph.nodes], "as before"
    together, apart = tensors((4, 3), (4, 3), (4, 3)), tensors((4, 3), (4, 3), (4, 3))
    losses = traced.graph.forward(*together), single(*apart)
    assert all(map(torch.equal, [*together, *losses[0]], [*apart, *losses[1]]))
