"""Older names of options and kinds: still read, with a warning that states the new one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, TypeAlias, get_args

from allmodes.registry.registry import Registry
from allmodes.registry.slots import CORE, Kind
from allmodes.runs.older_numbers import renew as renew_number
from allmodes_schemas import Config, Location, Problem, Renamed, Spec

Tree: TypeAlias = dict[str, Any]
NUMBERS: tuple[Location, ...] = (
    ("training", "checkpoints", "best"),
    ("training", "early_stopping", "metric"),
    ("training", "rewind", "metric"),
)
"""Where a spec names a number of its metrics."""


def renew(values: Any, registry: Registry, overridden: Collection[Location] = ()) -> list[Problem]:
    """Replace older names in a spec's plain values, in place.

    Returns warnings for older names, and errors for places with both the older and the new name, unless one of them is
    `overridden` and so wins.
    """
    return [*_Renewal(registry, overridden).read(values, (Spec,), ()), *_renew_numbers(values)]


def renewed_number(name: str) -> Renamed | None:
    """The older name of a number and its name today; None where it has no older one."""
    new = renew_number(name)
    return None if new == name else Renamed(name, new, since="0.1", until="1.0")


def _renew_numbers(values: Any) -> Iterator[Problem]:
    """Replace older names of numbers where a spec names one."""
    for where in NUMBERS:
        block = values
        for key in where[:-1]:
            block = block.get(key) if isinstance(block, dict) else None
        word = block.get(where[-1]) if isinstance(block, dict) else None
        if isinstance(word, str) and (renamed := renewed_number(word)):
            block[where[-1]] = renamed.new
            yield Problem(where, renamed.message(CORE), "warning")


class _Renewal:
    def __init__(self, registry: Registry, overridden: Collection[Location]) -> None:
        self.overridden = overridden
        self.kinds = dict[str, list[Kind]]()
        self.older = dict[str, tuple[Renamed, Kind]]()
        for _, kind in registry.all_kinds():
            self.kinds.setdefault(kind.name, []).append(kind)
            self.older |= {renamed.old: (renamed, kind) for renamed in kind.config.renamed if renamed.new == kind.name}

    def read(self, value: Any, expected: tuple[type[Config], ...], where: Location) -> Iterator[Problem]:
        """Rename at and below a value; `expected` are the blocks, other than components, that its location allows."""
        if isinstance(value, list):
            yield from self._list(value, expected, where)
        elif isinstance(value, dict):
            yield from self._block(value, expected, where)

    def _list(self, values: list[Any], expected: tuple[type[Config], ...], where: Location) -> Iterator[Problem]:
        for i, inner in enumerate(values):
            if isinstance(inner, str) and where[-1:] in (
                ("metrics",),
                ("references",),
            ):  # a bare word is a kind with its defaults
                yield from self._rename_kind(values, i, where)
            yield from self.read(inner, expected, (*where, i))

    def _block(self, value: Tree, expected: tuple[type[Config], ...], where: Location) -> Iterator[Problem]:
        if isinstance(value.get("kind"), str):
            yield from self._rename_kind(value, "kind", where)
        kinds = [*self.kinds.get(str(value.get("kind")), ())]
        here = [config for config in expected if _kind_of(config) == value.get("kind")]  # optimisers have kinds, too
        here += [kind.config for kind in kinds]
        for config in here:
            yield from self._rename_options(value, config, kinds[0].plugin.distribution if kinds else CORE, where)
        fields = {name: _blocks_in(field.annotation) for c in here for name, field in c.__pydantic_fields__.items()}
        for key, inner in value.items():
            yield from self.read(inner, fields.get(key, expected), (*where, key))

    def _rename_kind(self, holder: Any, key: str | int, where: Location) -> Iterator[Problem]:
        """Replace the kind that a block, or a list of bare words, holds at a key."""
        if (word := holder[key]) in self.older and word not in self.kinds:
            renamed, kind = self.older[word]
            holder[key] = renamed.new
            yield Problem((*where, key), renamed.message(kind.plugin.distribution), "warning")

    def _rename_options(self, value: Tree, config: type[Config], owner: str, where: Location) -> Iterator[Problem]:
        for renamed in config.renamed:
            if renamed.old in value and renamed.new in config.__pydantic_fields__:
                yield self._rename_option(value, renamed, owner, where)
        for name in value.keys() & config.__pydantic_fields__.keys():
            if message := config.__pydantic_fields__[name].deprecation_message:
                yield Problem((*where, name), f"{name!r} is deprecated: {message}", "warning")

    def _rename_option(self, value: Tree, renamed: Renamed, owner: str, where: Location) -> Problem:
        old, new = renamed.old, renamed.new
        wins = (*where, new) in self.overridden
        if new in value and wins == ((*where, old) in self.overridden):
            return Problem((*where, old), f"{old!r} is the older name of {new!r}, which is given as well: remove one")
        given = value.pop(old)
        value[new] = value.get(new, given) if wins else given
        return Problem((*where, old), renamed.message(owner), "warning")


def _blocks_in(annotation: Any) -> tuple[type[Config], ...]:
    """The blocks that a field accepts, at any depth of its type."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return (annotation,)
    return tuple(block for argument in get_args(annotation) for block in _blocks_in(argument))


def _kind_of(config: type[Config]) -> Any:
    return config.__pydantic_fields__["kind"].default if "kind" in config.__pydantic_fields__ else None


__all__ = ["renew", "renewed_number"]
