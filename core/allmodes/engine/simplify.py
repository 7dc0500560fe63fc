"""Fewer operations for the same result: what vmap's rules leave behind, and biases within matrix products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.fx import GraphModule, Node

aten = torch.ops.aten
VIEWS = (aten.expand.default, aten.view.default, aten._unsafe_view.default)


def simplify(module: GraphModule) -> None:
    """Leave out views of the same shape, products with 1 and transpositions back; add biases within products."""
    for rule in (_same_shape, _product_with_one, _transposed_back, _bias):
        for node in list(module.graph.nodes):
            _replace(node, rule)
    module.graph.eliminate_dead_code()
    module.recompile()


def _replace(node: Node, rule: Callable[[Node], Node | None]) -> None:
    """Replace a node by what a rule gives for it."""
    if node.op == "call_function" and not node.kwargs and (other := rule(node)) is not None:
        node.replace_all_uses_with(other)
        node.graph.erase_node(node)


def _same_shape(node: Node) -> Node | None:
    source = node.args[0] if node.args else None
    if node.target in VIEWS and isinstance(source, Node) and _shape(node) == _shape(source) is not None:
        return source
    return None


def _product_with_one(node: Node) -> Node | None:
    """The factor; not where it is written or returned, which would be another tensor then."""
    if node.target is not aten.mul.Scalar or node.args[1] != 1:
        return None
    source = node.args[0]
    is_read_alone = all(user.target in (*VIEWS, aten.add.Tensor) for user in node.users)
    return source if is_read_alone and isinstance(source, Node) and _dtype(node) == _dtype(source) else None


def _transposed_back(node: Node) -> Node | None:
    source = node.args[0] if node.args else None
    if node.target is aten.transpose.int and isinstance(source, Node) and source.target is node.target:
        inner = source.args[0]
        if sorted(_axes(node)) == sorted(_axes(source)) and isinstance(inner, Node):
            return inner
    return None


def _bias(node: Node) -> Node | None:
    """A product of matrices with a bias (lanes, 1, features), in one operation."""
    if node.target is not aten.add.Tensor or len(node.args) != 2:
        return None
    for bias, product in (node.args, node.args[::-1]):
        if isinstance(bias, Node) and isinstance(product, Node) and _is_biased(bias, product, node):
            with node.graph.inserting_before(node):
                both = node.graph.call_function(aten.baddbmm.default, (bias, *product.args))
            both.meta = dict(node.meta)
            return both
    return None


def _is_biased(bias: Node, product: Node, total: Node) -> bool:
    is_product = product.target is aten.bmm.default and len(product.users) == 1
    shape, own = _shape(product), _shape(bias)
    return (
        is_product
        and _dtype(bias) == _dtype(product)
        and shape == _shape(total)
        and own is not None
        and len(own) == 3
        and own != shape
    )


def _axes(node: Node) -> list[int]:
    """The two axes of a transposition, counted from the front."""
    dims = len(node.meta["val"].shape)
    axes: tuple[Any, ...] = node.args[1:]
    return [axis % dims for axis in axes]


def _shape(node: Node) -> tuple[int, ...] | None:
    value = node.meta.get("val")
    return tuple(value.shape) if isinstance(value, torch.Tensor) else None


def _dtype(node: Node) -> torch.dtype | None:
    value = node.meta.get("val")
    return value.dtype if isinstance(value, torch.Tensor) else None
