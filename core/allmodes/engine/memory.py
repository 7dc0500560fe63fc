"""What modules remember in Python, outside of parameters and buffers: no turn of stacked runs may change it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from allmodes.data.base import Data
from allmodes.engine.differences import name_of, plain_attributes
from allmodes.game.composition import Composition

WHOLE = (Data, BaseModel, ModuleType, type, torch.Generator)
"""What is not looked into, since it keeps nothing of a turn."""
STRUCTURE = ("_modules", "_forward_hooks", "_forward_pre_hooks")
"""Where torch keeps what a module is made of, tensors apart."""
COPIED = (dict, list, deque, set, np.ndarray)
"""What is compared with a copy of itself."""


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


def held_tensors(composition: Composition) -> Iterator[tuple[str, Tensor]]:
    """Tensors that modules hold outside of parameters and buffers, with their places."""
    return ((held.place, held.holder) for held in _find(composition) if isinstance(held.holder, Tensor))


def _find(composition: Composition) -> Iterator[_Held]:
    modules = composition.modules.items()
    known = {id(inner): (name, path, inner) for name, module in modules for path, inner in module.named_modules()}
    seen = set(known)  # what is held elsewhere, as modules in a list, is looked into there
    for name, path, inner in known.values():
        if name != "sampler":
            yield from _inside_module(inner, name_of(name, path), seen)


def _inside_module(module: nn.Module, place: str, seen: set[int]) -> Iterator[_Held]:
    own = {name: vars(module)[name] for name in plain_attributes(module)}
    yield _Held(place, module, own)
    yield from (_Held(place, vars(module)[name], dict(vars(module)[name])) for name in STRUCTURE)
    for name, value in own.items():
        yield from _inside(value, f"{place}.{name}", seen)


def _inside(value: Any, place: str, seen: set[int]) -> Iterator[_Held]:
    """What can be changed in a value, and in what it holds."""
    if id(value) in seen or isinstance(value, WHOLE):
        return
    seen.add(id(value))
    if isinstance(value, nn.Module):
        value = vars(value)
    if isinstance(value, Tensor):
        yield _Held(place, value, value.detach().clone())
        return
    parts = _parts(value)
    if isinstance(value, COPIED):
        yield _Held(place, value, value.copy())
    elif parts and not isinstance(value, tuple | FunctionType | MethodType):
        yield _Held(place, value, dict(parts))
    for key, part in parts.items():
        yield from _inside(part, f"{place}.{key}" if isinstance(key, str) else place, seen)


def _parts(value: Any) -> Mapping[Any, Any]:
    """What a value holds: by names, by keys or, where it has neither, by numbers."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list | deque | tuple | set):
        return dict(enumerate(value))
    if isinstance(value, FunctionType):
        return dict(enumerate((*(value.__closure__ or ()), vars(value))))
    if isinstance(value, MethodType):
        return {0: value.__self__}
    slots = ("cell_contents",) if isinstance(value, CellType) else _slots(type(value))
    return {name: getattr(value, name) for name in slots if hasattr(value, name)} | getattr(value, "__dict__", {})


def _slots(kind: type) -> list[str]:
    return [name for base in kind.__mro__ for name in vars(base).get("__slots__", ()) if not name.startswith("__")]


def _find_change(held: _Held) -> str | None:
    """The place of what is not as it was, if anything is not."""
    now, before = held.holder, held.before
    if isinstance(now, Tensor):
        return None if torch.equal(now, before) else held.place
    if isinstance(now, np.ndarray):
        return None if now.tobytes() == before.tobytes() else held.place
    if isinstance(now, list | deque | set):
        return None if len(now) == len(before) and all(map(_is_same, now, before)) else held.place
    now = _now(now)
    changed = (key for key in {**before, **now} if key not in now or not _is_same(now[key], before.get(key, _Held)))
    return next((f"{held.place}.{key}" for key in changed), None)


def _is_same(now: Any, before: Any) -> bool:
    return now is before or (isinstance(before, int | float | str) and type(now) is type(before) and now == before)


def _now(holder: Any) -> Mapping[Any, Any]:
    if isinstance(holder, nn.Module):
        return {name: vars(holder)[name] for name in plain_attributes(holder)}
    return _parts(holder)


def _restore(held: _Held) -> None:
    holder, before = held.holder, held.before
    if isinstance(holder, Tensor):
        holder.data.copy_(before)
    elif isinstance(holder, np.ndarray):
        holder[...] = before
    elif isinstance(holder, list | deque | set):
        holder.clear()
        (holder.update if isinstance(holder, set) else holder.extend)(before)
    else:
        _restore_names(holder, before)


def _restore_names(holder: Any, before: Mapping[Any, Any]) -> None:
    inside = holder if isinstance(holder, dict) else getattr(holder, "__dict__", {})
    for name in _now(holder).keys() - before.keys():
        del inside[name]
    for name, value in before.items():
        if isinstance(holder, dict) or name in inside or not hasattr(type(holder), name):
            inside[name] = value
        else:  # a slot
            object.__setattr__(holder, name, value)
