"""What metrics and samplers only read, kept so that it can be put back: modules, data, tensors and torch's settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from allmodes.data.base import Data
from allmodes.data.truth import Truth
from allmodes.registry.faults import ContractError
from allmodes.system.torch_settings import read_settings

PutBack: TypeAlias = Callable[[], Iterable[str]]
"""Puts something back, and names what had changed of it."""

COPIED = 2**28
"""Bytes of data of which a copy is kept: of what is beyond, a change is noticed, but cannot be put back."""

TABLES = tuple(name for name, value in vars(nn.Module()).items() if isinstance(value, dict))
"""Where torch keeps what lies in a module: parameters, buffers, modules and hooks."""

NONE: Mapping[str, Any] = MappingProxyType({})


class LostError(ContractError):
    """Something was changed of which there is no copy, so that a run cannot go on."""


class Untouched:
    """Modules, data and tensors as they are now.

    Args:
        readers: Who only reads them, for messages, such as `metrics only read`.
        modules: Modules by name; so is the mapping itself.
        data: A data set.
        tensors: Further tensors by name.
    """

    def __init__(
        self,
        readers: str,
        modules: Mapping[str, nn.Module] = NONE,
        data: Data | None = None,
        tensors: Mapping[str, Tensor | None] = NONE,
    ) -> None:
        inside = {f"{name}.{path}".rstrip("."): m for name, one in modules.items() for path, m in one.named_modules()}
        items = dict(_tensors_in("data", data)) if data is not None else {}
        sizes = accumulate(tensor.nbytes for tensor in items.values())
        copied = {name: tensor for (name, tensor), end in zip(items.items(), sizes, strict=True) if end <= COPIED}
        self.readers, self._put_back = readers, list[PutBack]()
        self._large = {name: (tensor, _version(tensor)) for name, tensor in items.items() if name not in copied}
        self._put_back += [_tensor(name, tensor) for name, tensor in _given({**tensors, **copied})]
        self._put_back += [
            _tensor(name, tensor) for name, module in inside.items() for name, tensor in _own(name, module)
        ]
        self._put_back += [_attributes(place, holder) for place, holder in _holders("data", data)]
        self._put_back += [table for name, module in inside.items() for table in _tables(name, module)]
        self._put_back += [_entries("", modules)] if isinstance(modules, dict) else []
        self._put_back += [_mode(name, module) for name, module in inside.items()]
        self._put_back += [_setting(name, read, write) for name, read, write in read_settings()]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Put back what the block changes.

        Raises ContractError that names it, LostError where there is no copy to put it back from.
        """
        try:
            yield
        finally:
            changed = list(dict.fromkeys(name for put_back in self._put_back for name in put_back()))
        if lost := [name for name, (tensor, version) in self._large.items() if _version(tensor) != version]:
            raise LostError(f"changes {lost[0]}, which {self.readers}, and which is too large to be put back")
        if changed:
            more = f" and {len(changed) - 1} more" if changed[1:] else ""
            raise ContractError(f"changes {changed[0]}{more}, which {self.readers} (it was put back)")


def _tensor(name: str, tensor: Tensor) -> PutBack:
    """The value of a tensor."""
    learns, memory = tensor.requires_grad, tensor.detach()
    value = memory.clone()

    @torch.no_grad()
    def put_back() -> Iterable[str]:
        if tensor.requires_grad == learns and _is_same(tensor, value):
            return ()
        leaf = tensor if tensor.is_leaf else tensor.detach_()
        leaf.requires_grad_(learns).data = memory.copy_(value)
        return (name,)

    return put_back


def _entries(where: str, place: dict[str, Any], title: str = "") -> PutBack:
    """The entries of a dictionary, by their identity and order."""
    before = dict(place)

    def put_back() -> Iterable[str]:
        changed = [key for key in {**before, **place} if key not in place or place[key] is not before.get(key, before)]
        if changed:
            place.clear()
            place.update(before)
        return (title,) if title and changed else [f"{where}{key}" for key in changed]

    return put_back


def _tables(name: str, module: nn.Module) -> Iterator[PutBack]:
    """What lies in a module, and what hides it: a tensor or `forward` among the module's own attributes."""
    for table in TABLES:
        yield _entries(f"{name}.", vars(module)[table], f"the hooks of {name}" if table.endswith("hooks") else "")
    names = {"forward", *module._parameters, *module._buffers, *module._modules} - vars(module).keys()

    def put_back() -> Iterable[str]:
        hiding = [key for key in vars(module) if key in names]
        for key in hiding:
            del vars(module)[key]
        return [f"{name}.{key}" for key in hiding]

    yield put_back


def _attributes(where: str, holder: object) -> PutBack:
    """Which tensors data have as attributes; those with an underscore are the data's own to replace."""
    place: dict[str, Any] = getattr(holder, "__dict__", {})
    before = {key: value for key, value in place.items() if isinstance(value, Tensor) and not key.startswith("_")}

    def put_back() -> Iterable[str]:
        changed = [key for key, value in before.items() if place.get(key) is not value]
        place.update(before)
        return [f"{where}.{key}" for key in changed]

    return put_back


def _mode(name: str, module: nn.Module) -> PutBack:
    mode = module.training

    def put_back() -> Iterable[str]:
        changed, module.training = module.training != mode, mode
        return [f"the mode of {name}"] if changed else ()

    return put_back


def _setting(name: str, read: Callable[[], Any], write: Callable[[Any], object]) -> PutBack:
    before = read()

    def put_back() -> Iterable[str]:
        if read() == before:
            return ()
        write(before)
        return (name,)

    return put_back


def _own(name: str, module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    return ((f"{name}.{key}", tensor) for key, tensor in _given({**module._parameters, **module._buffers}))


def _tensors_in(where: str, data: object) -> Iterator[tuple[str, Tensor]]:
    for place, holder in _holders(where, data):
        attributes = getattr(holder, "__dict__", {})
        yield from ((f"{place}.{key}", value) for key, value in attributes.items() if isinstance(value, Tensor))


def _holders(where: str, thing: object) -> Iterator[tuple[str, object]]:
    """Data, and the data, truths and dataclasses that they are made of, with their places."""
    if isinstance(thing, Data | Truth) or (is_dataclass(thing) and not isinstance(thing, type)):
        yield where, thing
        for key, value in getattr(thing, "__dict__", {}).items():
            yield from _holders(f"{where}.{key}", value)


def _given(tensors: Mapping[str, Tensor | None]) -> Iterable[tuple[str, Tensor]]:
    return [(name, tensor) for name, tensor in tensors.items() if tensor is not None]


def _version(tensor: Tensor) -> int:
    """How often a tensor was written into in place."""
    return 0 if tensor.is_inference() else tensor._version


def _is_same(now: Tensor, before: Tensor) -> bool:
    """Whether two tensors are equal, numbers that are none included."""
    if (now.shape, now.dtype, now.device) != (before.shape, before.dtype, before.device):
        return False
    return torch.equal(now, before) or (now.is_floating_point() and torch.allclose(now, before, 0, 0, equal_nan=True))
