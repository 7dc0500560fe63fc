"""What a user's Python file has for a plugin: networks, losses and metrics, found by reading it, not by running it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from allmodes.cli.python_checks import check_imports, check_statements
from allmodes.specs.source import SpecError
from allmodes.system.no_such_file import holds, no_such_file

Slot: TypeAlias = Literal["network", "loss", "metric"]
BASES: Mapping[str, Slot] = {
    "Module": "network",
    "Network": "network",
    "LossTerm": "loss",
    "Game": "loss",
    "Metric": "metric",
    "FeatureMetric": "metric",
}
"""What a class is, by the last word of a base of it."""
FIRST: Mapping[str, Slot] = {"step": "loss", "samples": "metric"}
"""What a function is, by its first argument."""
BESIDE: Mapping[Slot, frozenset[str]] = {
    "network": frozenset({"sees", "gives"}),
    "loss": frozenset({"step"}),
    "metric": frozenset({"samples", "real", "labels", "data", "generator", "evaluation"}),
}
"""Arguments that allmodes gives, by slot."""
TYPES = (bool, int, float, str)


@dataclass(frozen=True)
class Option:
    """An argument with a plain default, which becomes a setting."""

    name: str
    type: str
    default: object


@dataclass(frozen=True)
class Found:
    """A class or function of the file that becomes a kind.

    Attributes:
        base: The word of its base, such as `Module`; empty for a function.
        gives: Arguments that allmodes gives, in order.
        mixes: Whether it speaks of BatchNorm.
        summary: The first sentence of its docstring.
    """

    name: str
    slot: Slot
    base: str
    gives: tuple[str, ...]
    options: tuple[Option, ...]
    mixes: bool
    summary: str

    @property
    def word(self) -> str:
        """The word of its kind: `my_net` for `MyNet`."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", self.name).lower().strip("_")


@dataclass(frozen=True)
class Reading:
    """What a file has for a plugin, and what was left out, with the reason."""

    path: Path
    text: str
    found: tuple[Found, ...]
    left_out: tuple[str, ...]


def read_file(path: Path) -> Reading:
    """Read a file without running it.

    Raises SpecError where it is none, is no Python, acts when it is imported, or has nothing for a plugin.
    """
    if not holds(path.is_file):
        raise SpecError(no_such_file(path))
    try:
        text = path.read_text("utf-8")
        tree = ast.parse(text, str(path))
    except (SyntaxError, ValueError) as error:
        place = f"{path}:{error.lineno}" if isinstance(error, SyntaxError) else str(path)
        raise SpecError(f"{place}: no Python that can be read: {getattr(error, 'msg', error)}") from None
    check_statements(path, tree)
    check_imports(path, tree)
    found, left_out = _find(tree)
    if not found:
        reasons = "".join(f"\n{path}: {reason}" for reason in left_out)
        asked = "a plain nn.Module class, a function of step (a loss) or of samples (a metric)"
        raise SpecError(f"{path}: has nothing for a plugin: {asked}{reasons}")
    return Reading(path, text, tuple(found), tuple(left_out))


def _find(tree: ast.Module) -> tuple[list[Found], list[str]]:
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    found, left_out = list[Found](), list[str]()
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
            continue
        outer = _outer(node.name, classes)
        one = f"{node.name} is a part of {outer}" if outer else _read(node, classes)
        if isinstance(one, Found) and any(one.word == other.word for other in found):
            one = f"{node.name} would be called {one.word}, as another one is: rename it"
        if isinstance(one, Found):
            found.append(one)
        elif one:
            left_out.append(one)
    return found, left_out


def _read(node: ast.ClassDef | ast.FunctionDef, classes: Mapping[str, ast.ClassDef]) -> Found | str:
    """A kind; the reason why it is none, if there is one; else an empty text."""
    if isinstance(node, ast.ClassDef):
        base, function = _base_of(node, classes), _method(node, "__init__", classes)
        slot, skipped = BASES.get(base), 1
    else:
        arguments = [*node.args.posonlyargs, *node.args.args]
        base, function, skipped = "", node, 0
        slot = FIRST.get(arguments[0].arg) if arguments else None
    if slot is None:
        return ""
    gives, options, problem = _arguments(function, slot if base in ("", "Module", "Network") else "loss", skipped)
    if problem:
        return f"{node.name} {problem}"
    mixes = "BatchNorm" in ast.dump(ast.Module([classes[n] for n in _inside(node, classes)], []))
    return Found(node.name, slot, base, gives, options, mixes, _summary(node))


def _base_of(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> str:
    """The base that says what a class is, its own or that of a class of the file that it extends."""
    for base in node.bases:
        word = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
        if word in BASES:
            return word
        if word in classes and word != node.name and (further := _base_of(classes[word], classes)):
            return further
    return ""


def _method(node: ast.ClassDef, name: str, classes: Mapping[str, ast.ClassDef]) -> ast.FunctionDef | None:
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and one.name == name:
            return one
    above = (classes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in classes)
    return next((method for base in above if base is not node and (method := _method(base, name, classes))), None)


def _arguments(
    function: ast.FunctionDef | None, slot: Slot, skipped: int
) -> tuple[tuple[str, ...], tuple[Option, ...], str]:
    """What allmodes gives, what becomes a setting, and why it cannot be called, if so."""
    if function is None:
        return (), (), ""
    args = function.args
    places = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(places) - len(args.defaults)) + list(args.defaults)
    named = [*zip(places, defaults, strict=True)][skipped:]
    named += zip(args.kwonlyargs, args.kw_defaults, strict=True)
    gives, options = list[str](), list[Option]()
    for place, (argument, default) in enumerate(named):
        if argument.arg in BESIDE[slot]:
            gives.append(argument.arg)
        elif slot == "metric" and default is None and place < 2:
            gives.append(("samples", "real")[place])
        elif default is None:
            return (), (), f"takes {argument.arg!r} without a default: give it one"
        elif (option := _option(argument.arg, default)) is not None:
            options.append(option)
    return tuple(gives), tuple(options), ""


def _option(name: str, default: ast.expr) -> Option | None:
    """A setting with a plain default; None for others, which stay as they are."""
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return None
    if type(value) in TYPES:
        return Option(name, type(value).__name__, value)
    inner = {type(one) for one in value} if isinstance(value, tuple | list) else set()
    if len(inner) == 1 and (kind := inner.pop()) in TYPES:
        return Option(name, f"tuple[{kind.__name__}, ...]", tuple(value))
    return None


def _inside(node: ast.AST, classes: Mapping[str, ast.ClassDef]) -> set[str]:
    """The classes of the file that a class uses, itself included, at any depth."""
    found, waiting = set[str](), [getattr(node, "name", "")]
    while waiting:
        if (name := waiting.pop()) in classes and name not in found:
            found.add(name)
            waiting += [one.id for one in ast.walk(classes[name]) if isinstance(one, ast.Name)]
    return found


def _outer(name: str, classes: Mapping[str, ast.ClassDef]) -> str:
    """A class of the file that makes objects of another one within it, if any."""
    users: Iterable[str] = (other for other, node in classes.items() if other != name and name in _called(node))
    return next(iter(users), "")


def _called(node: ast.ClassDef) -> Iterator[str]:
    return (call.func.id for call in ast.walk(node) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name))


def _summary(node: ast.ClassDef | ast.FunctionDef) -> str:
    lines = (ast.get_docstring(node) or "").strip().splitlines()
    return f"{lines[0].rstrip('.')}." if lines else ""
