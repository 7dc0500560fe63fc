"""Objects of Python, which a spec names `python:name` and cannot hold, as kinds of a registry. Loads no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from reprlib import repr as short
from typing import Any, Literal

from pydantic import create_model

from allmodes.registry.given_kinds import (
    COMMAND,
    GIVEN_CONFIGS,
    KEYWORDS,
    NAME,
    PREFIX,
    AbsentError,
    Given,
    Word,
    is_given,
    name_of,
    remedy,
    show_arguments,
)
from allmodes.registry.registry import Registry
from allmodes.registry.slots import Kind, Plugin
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import KindConfig, LossTermConfig, NetworkConfig, kinds_within

OURS = Plugin("python", "python", "")
"""What provides objects of Python, in the place of a plugin."""


def words_for(thing: object) -> str:
    """An object in a message: `class Net`, `function energy`, `module Net`, or another object by its class."""
    if isinstance(thing, type):
        return f"class {thing.__name__}"
    if isinstance(thing, Mapping):
        return "pair of functions"
    if name := getattr(thing, "__name__", ""):
        return f"function {name}"
    return f"{'module' if hasattr(thing, 'named_modules') else 'object'} {type(thing).__name__}"


def name_kind(thing: object) -> str:
    """What was passed in the place of an object, in a message: a plain value itself, anything else by its class."""
    return short(thing) if isinstance(thing, str | int | float | type(None)) else f"a {type(thing).__name__}"


def given_in(value: object, absent: bool = False) -> dict[str, list[str]]:
    """The names of the objects of Python that a spec names, or of those that were not passed, by keyword argument."""
    found: dict[str, list[str]] = {}
    for _, config in kinds_within(value):
        if is_given(config.kind) and not (absent and getattr(config, "given", None)):
            base = next(base for base in KEYWORDS if isinstance(config, base))
            names = found.setdefault(KEYWORDS[base], [])
            names += [name] if (name := name_of(config.kind)) not in names else []
    return found


def with_given(registry: Registry, objects: Mapping[type[KindConfig], Mapping[str, Given | None]]) -> Registry:
    """A registry that has objects of Python, too, by base and name; those that are None can be read and not built."""
    made = {
        base: {PREFIX + name: Kind(_make_config(base, PREFIX + name, given), OURS) for name, given in inside.items()}
        for base, inside in objects.items()
    }
    return registry.with_kinds({base: kinds for base, kinds in made.items() if kinds})


def with_absent(registry: Registry, words: Iterable[str]) -> Registry:
    """A registry in which every object of Python among the words of a spec can be read, though it was not passed."""
    names = {name_of(word) for word in words if is_given(word) and NAME.fullmatch(name_of(word))}
    absent = {base: dict.fromkeys(sorted(names - _names(registry, base))) for base in KEYWORDS}
    return with_given(registry, absent) if names else registry


def unknown_object(registry: Registry, base: type[KindConfig] | None, kind: str) -> str:
    """The error message for an object of Python that was not passed."""
    name, hint = name_of(kind), ""
    if not NAME.fullmatch(name):
        return f"{kind!r} names no object of Python: write {PREFIX} and a name of letters, digits and _"
    if base is not None and base not in KEYWORDS:
        what = "an object of Python may be a network, a loss or a metric"
        return f"{kind!r}: {what}: make yours a kind of a plugin: {COMMAND}"
    if base is not None:
        hint = did_you_mean(kind, [PREFIX + known for known in _names(registry, base)])
    return f"{kind!r}{hint} {remedy(base or NetworkConfig, name)}"


def _names(registry: Registry, base: type[KindConfig]) -> set[str]:
    return {name_of(kind) for kind in registry.of(base) if is_given(kind)}


def _make_config(base: type[KindConfig], kind: str, given: Given | None) -> type[KindConfig]:
    """The class of settings that stand for one object."""
    fields: dict[str, Any] = {"kind": (Literal[kind], kind)}
    if base is LossTermConfig and given is not None:
        fields["game"] = (bool, given.is_game)
    kept = {"use_attribute_docstrings": False}
    above = GIVEN_CONFIGS[base]
    make: Any = create_model
    config = make(above.__name__, __base__=above, __module__=__name__, __cls_kwargs__=kept, **fields)
    config.given, config.whose = given, f"your {given.what}" if given else "an object of Python"
    made: type[KindConfig] = config
    return made


__all__ = [
    "GIVEN_CONFIGS",
    "KEYWORDS",
    "NAME",
    "PREFIX",
    "AbsentError",
    "Given",
    "Word",
    "given_in",
    "is_given",
    "name_kind",
    "name_of",
    "show_arguments",
    "unknown_object",
    "with_absent",
    "with_given",
    "words_for",
]
