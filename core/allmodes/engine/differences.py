"""What differs between runs that an engine updates together: their shapes must agree, their numbers may differ."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from functools import partial
from types import FunctionType, MethodType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from allmodes.game.composition import Composition
from allmodes.game.contracts import Noisy

INTERNAL = frozenset(vars(nn.Module())) | {"_built_from"}
"""Attributes that torch gives to every module, and the config that it was built from, which no turn reads."""
Attributes: TypeAlias = "dict[tuple[str, str, str], Any]"
"""Values of attributes by module, path within it and name, with a `Slot` for each number that differs."""


class EngineError(RuntimeError):
    """An engine cannot run a composition, or these ones together; the message says why."""


class Slot(NamedTuple):
    """The place of a number, or of a tensor, that differs from lane to lane."""

    position: int


class Differences:
    """Numbers that differ between the attributes of modules of equal structure.

    Attributes:
        attributes: What the attributes that hold such numbers are.
        values: The numbers, or tensors, of all lanes, by the position of their slot.

    Raises EngineError, which names the place, where anything else differs.
    """

    def __init__(self, compositions: Sequence[Composition]) -> None:
        self.values: list[Sequence[Any]] = []
        self._seen = set[tuple[int, ...]]()
        self._known = {id(inner) for module in compositions[0].modules.values() for inner in module.modules()}
        self._tensors = {id(t) for module in compositions[0].modules.values() for _, t in _tensors(module)}
        for other in compositions[1:]:
            check_structure(compositions[0], other)
        self.attributes = dict(self._walk(compositions))

    @property
    def places(self) -> list[str]:
        """The names of the attributes."""
        return [name_of(*place) for place in self.attributes]

    def fill(self, values: Sequence[Tensor]) -> Iterator[tuple[tuple[str, str, str], Any]]:
        """The attributes with a value for each slot."""
        return ((place, _fill(template, values)) for place, template in self.attributes.items())

    def tensors(self, device: torch.device | str) -> list[Tensor]:
        """The values of each slot (lanes, ...)."""
        stacked = [torch.stack(list(v)) if isinstance(v[0], Tensor) else torch.tensor(v) for v in self.values]
        return [tensor.to(device) for tensor in stacked]

    def _walk(self, compositions: Sequence[Composition]) -> Iterator[tuple[tuple[str, str, str], Any]]:
        for name, module in _without_sampler(compositions[0]):
            for path, inner in module.named_modules():
                peers = [c.modules[name].get_submodule(path) for c in compositions]
                for attribute in plain_attributes(inner):
                    template = self.merge([vars(peer)[attribute] for peer in peers], name_of(name, path, attribute))
                    if _has_slot(template):
                        yield (name, path, attribute), template

    def merge(self, values: Sequence[Any], where: str) -> Any:
        """The first of values that are equal, with a slot for each number in which they differ."""
        first = values[0]
        if all(value is first for value in values) or _ids(values) in self._seen or self._is_elsewhere(first):
            return first
        if _are_numbers(values):
            return first if all(value == first for value in values) else self._slot(values)
        if any(type(value) is not type(first) for value in values):
            raise EngineError(f"{where} is {_short(first)} and {_short(_other(values))}")
        if isinstance(first, Tensor):
            return self._merge_tensors(values, where)
        return self._merge_inside(values, where)

    def _is_elsewhere(self, value: Any) -> bool:
        """Whether a value is a module or tensor of the composition, which is compared at its own place."""
        return id(value) in self._known or id(value) in self._tensors

    def _merge_tensors(self, values: Sequence[Tensor], where: str) -> Any:
        first = values[0]
        if any(value.shape != first.shape or value.dtype != first.dtype for value in values):
            raise EngineError(f"{where} is of shapes {', '.join(str(tuple(v.shape)) for v in values)}")
        return first if all(torch.equal(value, first) for value in values) else self._slot(values)

    def _merge_inside(self, values: Sequence[Any], where: str) -> Any:
        first = values[0]
        if isinstance(first, BaseModel):
            return _copy_model(first, self._merge_all([dict(value) for value in values], where))
        if isinstance(first, dict):
            return self._merge_all(values, where)
        if type(first) in (list, tuple):
            return type(first)(self._merge_all([dict(enumerate(value)) for value in values], where).values())
        self._check_equal(values, where)
        return first

    def _merge_all(self, values: Sequence[Mapping[Any, Any]], where: str) -> dict[Any, Any]:
        if any(value.keys() != values[0].keys() for value in values):
            raise EngineError(f"{where} has different entries")
        return {key: self.merge([value[key] for value in values], f"{where}.{key}") for key in values[0]}

    def _check_equal(self, values: Sequence[Any], where: str) -> None:
        """Raise EngineError where what cannot hold a slot differs, or cannot be shown to be equal."""
        first, slots = values[0], len(self.values)
        if _is_equal_to_itself_alone(first):
            self._seen.add(_ids(values))
            self._merge_all([dict(enumerate(_parts(value))) for value in values], where)
        elif not all(_is_equal(value, first, where) for value in values):
            raise EngineError(f"{where} is {_short(first)} and {_short(_other(values))}")
        if len(self.values) > slots:
            raise EngineError(f"{where} holds numbers that differ")

    def _slot(self, values: Sequence[Any]) -> Slot:
        self.values.append(values)
        return Slot(len(self.values) - 1)


def check_structure(one: Composition, other: Composition) -> None:
    """Raise EngineError where compositions differ in shapes, classes, players, terms or turns."""
    for what, mine, theirs in zip(WHAT, _structure(one), _structure(other), strict=True):
        if mine != theirs:
            raise EngineError(f"{what} differ: {_first_difference(mine, theirs)}")


WHAT = ("modules", "shapes", "players", "loss terms", "turns", "settings")


def _structure(composition: Composition) -> tuple[Any, ...]:
    modules = dict(_without_sampler(composition))
    players = {p.name: (p.modules, p.optimizer.kind) for p in composition.players.values()}
    terms = {t.name: (t.every, t.start) for t in composition.terms.values()}
    return (
        {f"{name}.{path}": type(m) for name, module in modules.items() for path, m in module.named_modules()},
        {f"{name}.{key}": _form(t) for name, module in modules.items() for key, t in _tensors(module)},
        players,
        terms,
        composition.schedule,
        (composition.heads, composition.precision, composition.fixed),
    )


def _without_sampler(composition: Composition) -> Iterator[tuple[str, nn.Module]]:
    """What a turn computes with: a sampler trains nothing."""
    return ((name, module) for name, module in composition.modules.items() if name != "sampler")


def _tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _form(tensor: Tensor) -> tuple[object, ...]:
    return tuple(tensor.shape), tensor.dtype, tensor.device


def plain_attributes(module: nn.Module) -> list[str]:
    """Attributes of a module that are no tensors or modules that torch knows, nor noise that is set at each call."""
    noise = {"noise"} if isinstance(module, Noisy) else set[str]()
    return [name for name in vars(module) if name not in INTERNAL | noise]


def _are_numbers(values: Sequence[Any]) -> bool:
    """Whether all are numbers, and not all of them whole ones, which may be sizes."""
    return all(type(v) in (int, float) for v in values) and any(type(v) is float for v in values)


def _ids(values: Sequence[Any]) -> tuple[int, ...]:
    return tuple(map(id, values))


def _is_equal(one: Any, other: Any, where: str) -> bool:
    """Whether values of one class are equal. Raises EngineError where they do not tell."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    try:
        return bool(one == other)
    except Exception as error:
        raise EngineError(f"{where} cannot be shown to be equal") from error


def _is_equal_to_itself_alone(value: Any) -> bool:
    """Whether equality of such values is identity, or that of what they hold, which may be tensors."""
    is_identity = getattr(type(value), "__eq__", None) is getattr(object, "__eq__", None)
    return is_identity or is_dataclass(value) or isinstance(value, MethodType | tuple | deque)


def _parts(value: Any) -> list[Any]:
    """What makes an object what it is, where its class does not define equality."""
    if isinstance(value, FunctionType):
        return [value.__code__, value.__defaults__, [cell.cell_contents for cell in value.__closure__ or ()]]
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, tuple | deque):
        return list(value)
    if hasattr(value, "__dict__"):
        return [vars(value)]
    raise EngineError(f"{_short(value)} cannot be shown to be equal")


def _copy_model(model: BaseModel, values: Mapping[str, Any]) -> BaseModel:
    """A copy of a pydantic model with slots; the model itself where it has none."""
    changed = {key: value for key, value in values.items() if _has_slot(value)}
    return model.model_copy(update=changed) if changed else model


def _has_slot(template: Any) -> bool:
    if isinstance(template, Slot):
        return True
    return any(map(_has_slot, _inside(template)))


def _inside(template: Any) -> Iterator[Any]:
    if isinstance(template, BaseModel):
        yield from dict(template).values()
    elif isinstance(template, dict):
        yield from template.values()
    elif type(template) in (list, tuple):
        yield from template


def _fill(template: Any, values: Sequence[Tensor]) -> Any:
    if isinstance(template, Slot):
        return values[template.position]
    if not _has_slot(template):
        return template
    if isinstance(template, BaseModel):
        return template.model_copy(update={key: _fill(value, values) for key, value in template})
    if isinstance(template, dict):
        return {key: _fill(value, values) for key, value in template.items()}
    return type(template)(_fill(value, values) for value in template)


def _first_difference(one: Any, other: Any) -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        key = next(k for k in [*one, *other] if k not in one or k not in other or one[k] != other[k])
        return f"{key}: {_short(one.get(key))} and {_short(other.get(key))}"
    return f"{_short(one)} and {_short(other)}"


def name_of(*path: str) -> str:
    """A place in words: the name of a module, paths within it, an attribute."""
    return ".".join(filter(None, path))


def _other(values: Sequence[Any]) -> Any:
    first = values[0]
    return next(value for value in values if type(value) is not type(first) or not _is_equal(value, first, ""))


def _short(value: Any) -> str:
    text = value.__name__ if isinstance(value, type) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
