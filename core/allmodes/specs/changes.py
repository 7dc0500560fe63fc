"""Settings that may change when a run is resumed, and those that would make it another run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from reprlib import repr as short
from typing import Any, TypeAlias

from pydantic import BaseModel

from allmodes_schemas import Config, Spec

Change: TypeAlias = tuple[str, Any, Any]
"""The dotted path of a setting, its old and its new value."""


def changes_between(before: Spec, after: Spec) -> list[Change]:
    """Settings that differ and that decide what is trained: those that no config declares `free`."""
    return list(_changes(before, after, ""))


def describe_changes(found: Sequence[Change], folder: object) -> str:
    """A message with a line for each change that cannot be made to a run."""
    return "\n".join(
        f"{path} is {short(before)} in {folder} and would be {short(after)}: it decides what is trained, so a resumed "
        "run keeps it; start a new run for another value"
        for path, before, after in found
    )


def _changes(before: Any, after: Any, path: str) -> Iterator[Change]:
    if before == after:
        return
    pairs = _pairs(before, after)
    if pairs is None:
        yield path, _plain(before), _plain(after)
        return
    for name, old, new in pairs:
        yield from _changes(old, new, f"{path}.{name}" if path else name)


def _pairs(before: Any, after: Any) -> list[tuple[str, Any, Any]] | None:
    """Entries of two values of the same form side by side, or None where they have to be compared as a whole."""
    if isinstance(before, Config) and type(before) is type(after):
        names = [name for name in type(before).model_fields if name not in before.free]
        return [(name, getattr(before, name), getattr(after, name)) for name in names]
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.keys() == after.keys():
        return [(str(name), before[name], after[name]) for name in before]
    if isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
        return [(str(i), old, new) for i, (old, new) in enumerate(zip(before, after, strict=True))]
    return None


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
