"""Descriptions of options: the docstrings below them, read from the source when somebody asks.

Pydantic reads them as each class is made (`use_attribute_docstrings`), which takes longer than to check a spec.
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from types import MappingProxyType, ModuleType

from pydantic import BaseModel
from pydantic.fields import FieldInfo


class DescribedFields:
    """The attribute `model_fields` of a class, whose fields are described when it is first read."""

    def __get__(self, instance: object, owner: type[BaseModel]) -> dict[str, FieldInfo]:
        """The fields by name."""
        fields = owner.__pydantic_fields__
        if "_described" not in vars(owner):
            owner._described = True  # type: ignore[attr-defined]
            for name, field in fields.items():
                field.description = field.description or _description(owner, name)
        return fields


def _description(model: type[BaseModel], name: str) -> str | None:
    """The docstring below an option, of the nearest class in the source that has one.

    Not all classes are in the source: `specs.union` derives some, of the same names, in which options are narrowed.
    """
    sources = (_docstrings(sys.modules.get(base.__module__)).get(base.__qualname__, {}) for base in model.__mro__)
    return next((found[name] for found in sources if name in found), None)


@cache
def _docstrings(module: ModuleType | None) -> Mapping[str, Mapping[str, str]]:
    """By qualified name of each class of a module, the docstrings below its attributes; none without a source."""
    try:
        tree = ast.parse(inspect.getsource(module))  # type: ignore[arg-type]
    except (OSError, TypeError, SyntaxError):
        return MappingProxyType({})
    return dict(_classes(tree, ""))


def _classes(node: ast.AST, prefix: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    for inner in ast.iter_child_nodes(node):
        match inner:
            case ast.ClassDef():
                yield prefix + inner.name, dict(_attributes(inner.body))
                yield from _classes(inner, f"{prefix}{inner.name}.")
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _classes(inner, f"{prefix}{inner.name}.<locals>.")
            case ast.stmt():
                yield from _classes(inner, prefix)


def _attributes(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for declared, below in pairwise(body):
        match declared, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)
