"""The kinds that a spec names, by which it is read before the schemas of all others are built."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from allmodes.registry.registry import Registry
from allmodes.specs.union import blocks_in, plain
from allmodes_schemas import KindConfig, Spec


def kinds_named(words: Iterable[str], registry: Registry) -> set[str]:
    """Every kind among the words of a spec, of the defaults of any spec, or of the defaults of a kind found so."""
    kinds: dict[str, list[type[KindConfig]]] = {}
    for _, kind in registry.all_kinds():
        kinds.setdefault(kind.name, []).append(kind.config)
    waiting, found = {*words, *_defaults(Spec)} & kinds.keys(), set[str]()
    while waiting:
        found |= waiting
        defaults = {word for name in waiting for config in kinds[name] for word in _defaults(config)}
        waiting = (defaults & kinds.keys()) - found
    return found


def words_in(values: Any) -> Iterator[str]:
    """Every text in plain values, at any depth; no key."""
    if isinstance(values, str):
        yield values
    for inner in values.values() if isinstance(values, Mapping) else values if isinstance(values, list) else ():
        yield from words_in(inner)


def _defaults(model: type[BaseModel]) -> Iterator[str]:
    """Every text in the defaults of a block, and of the blocks that it holds."""
    for field in model.__pydantic_fields__.values():
        if not field.is_required():
            yield from words_in(plain(field.get_default(call_default_factory=True)))
        for block in blocks_in(field.annotation):
            if not issubclass(block, KindConfig):
                yield from _defaults(block)
