"""What modules remember in Python, outside of parameters and buffers: no turn of stacked runs may change it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from types import FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from allmodes.data.base import Data
from allmodes.engine.differences import name_of, plain_attributes
from allmodes.game.composition import Composition

WHOLE = (nn.Module, Data, BaseModel, FunctionType, MethodType, ModuleType, type, torch.Generator)
"""What is not looked into: modules have places of their own, and the others keep nothing of a turn."""


class _Held(NamedTuple):
    """Something that can be changed in place, what it was, and what is compared of it."""

    place: str
    holder: Any
    before: Any


class PythonMemory:
    """The attributes of modules as they are now, and what is held in them."""

    def __init__(self, composition: Composition) -> None:
        self._held = list(_find(composition))

    def find_change(self) -> str | None:
        """The place of the first thing that has changed since, if there is one."""
        return next(filter(None, map(_find_change, self._held)), None)

    def put_back(self) -> str | None:
        """Put back what has changed since; returns the place of the first such thing, if there is one."""
        changed = [(held, place) for held in self._held if (place := _find_change(held)) is not None]
        for held, _ in changed:
            _restore(held)
        return changed[0][1] if changed else None


def _find(composition: Composition) -> Iterator[_Held]:
    seen = set[int]()
    for name, module in composition.modules.items():
        for path, inner in module.named_modules():
            if name != "sampler" and id(inner) not in seen:
                seen.add(id(inner))
                yield from _inside_module(inner, name_of(name, path), seen)


def _inside_module(module: nn.Module, place: str, seen: set[int]) -> Iterator[_Held]:
    own = {name: vars(module)[name] for name in plain_attributes(module)}
    yield _Held(place, module, own)
    for name, value in own.items():
        yield from _inside(value, f"{place}.{name}", seen)


def _inside(value: Any, place: str, seen: set[int]) -> Iterator[_Held]:
    """What can be changed in a value, and in what it holds."""
    if id(value) in seen or isinstance(value, WHOLE):
        return
    seen.add(id(value))
    if isinstance(value, Tensor):
        yield _Held(place, value, value.detach().clone())
        return
    parts = _parts(value)
    if isinstance(value, list | deque | dict):
        yield _Held(place, value, value.copy())
    elif parts:
        yield _Held(place, parts, dict(parts))
    for key, part in parts.items():
        yield from _inside(part, place if isinstance(value, list | deque | tuple) else f"{place}.{key}", seen)


def _parts(value: Any) -> Mapping[Any, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list | deque | tuple):
        return dict(enumerate(value))
    return getattr(value, "__dict__", {})


def _find_change(held: _Held) -> str | None:
    """The place of what is not as it was, if anything is not."""
    now, before = _now(held), held.before
    if isinstance(now, Tensor):
        return None if torch.equal(now, before) else held.place
    if isinstance(now, list | deque):
        return None if len(now) == len(before) and all(map(_is_same, now, before)) else held.place
    changed = (key for key in {**before, **now} if key not in now or not _is_same(now[key], before.get(key, _Held)))
    return next((f"{held.place}.{key}" for key in changed), None)


def _is_same(now: Any, before: Any) -> bool:
    return now is before or (isinstance(before, int | float | str) and type(now) is type(before) and now == before)


def _now(held: _Held) -> Any:
    module = held.holder
    if isinstance(module, nn.Module):
        return {name: vars(module)[name] for name in plain_attributes(module)}
    return held.holder


def _restore(held: _Held) -> None:
    holder = held.holder
    if isinstance(holder, Tensor):
        holder.data.copy_(held.before)
    elif isinstance(holder, list | deque):
        holder.clear()
        holder.extend(held.before)
    else:
        inside = vars(holder) if isinstance(holder, nn.Module) else holder
        for name in _now(held).keys() - held.before.keys():
            del inside[name]
        inside.update(held.before)
