"""Rules that a plugin must keep; one that breaks a rule provides nothing and is kept with its error."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.metadata import Distribution
from reprlib import repr as short
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema

from allmodes.registry import distributions, hookspecs
from allmodes.registry.observers import waits
from allmodes.registry.slots import CORE, Kind, Plugin, PluginError
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import DiscriminatorOptions, KindConfig, NetworkConfig

HOOKS = frozenset(name for door in (hookspecs.Providers, hookspecs.Observers) for name in vars(door) if name[0] != "_")

WORD = re.compile("[a-z][a-z0-9_]*")
_CODE = ("callable", "is-instance", "is-subclass", "function-plain")
"""Types of pydantic's schemas that may have no JSON Schema."""
_ANYTHING = ConfigDict(arbitrary_types_allowed=True)
WORD_IN_WORDS = "lowercase letters, digits and _"


def check_name(plugin: Plugin) -> None:
    """Refuse a name of several words: kinds are told apart by their plugin's name, up to the first dot."""
    if not plugin.name.isidentifier():
        raise PluginError(f"a plugin's name is one word, but its entry point is called {plugin.name!r}")
    if not WORD.fullmatch(plugin.name):
        raise PluginError(f"a plugin's name is {WORD_IN_WORDS}, but its entry point is called {plugin.name!r}")


def check_version(distribution: Distribution) -> None:
    """Refuse a distribution that does not support the installed version of the core."""
    if reason := distributions.unsupported_version(distribution, CORE):
        raise PluginError(reason)


def check_hooks(module: object) -> None:
    """Refuse hooks that do not exist and hooks without a marker, both of which pluggy alone would ignore."""
    for name, function in inspect.getmembers_static(module, callable):
        options = getattr(function, f"{hookspecs.PROJECT}_impl", None)
        if options is None and name in HOOKS:
            raise PluginError(f"{name} is not marked as a hook: put @hookimpl above it")
        hook = options and (options.get("specname") or name)
        if hook and hook not in HOOKS:
            raise PluginError(f"there is no hook {hook!r}{did_you_mean(hook, HOOKS)}")
        if hook in vars(hookspecs.Observers) and waits(function):
            raise PluginError(f"{hook} would be called and never run: an observer is a plain function, without yield")


def check_returned(returned: Any, hook: str) -> list[Any]:
    """What a provider hook returned, if it can be gone through."""
    if isinstance(returned, str | bytes | Mapping) or not isinstance(returned, Iterable):
        shown = returned.__name__ if isinstance(returned, type) else short(returned)
        raise PluginError(f"allmodes_{hook} returns {shown}: return a list of config classes")
    return list(returned)


def check_config(config: Any, base: type[KindConfig], hook: str) -> type[KindConfig]:
    """The config class that a provider hook returned, if it extends the slot's base and declares its kind."""
    if not (isinstance(config, type) and issubclass(config, base)):
        hint = ": return the class itself" if isinstance(config, base) else ""
        raise PluginError(f"allmodes_{hook} returns {config!r}, which is not a subclass of {base.__name__}{hint}")
    _check_class(config, base)
    return config


@cache
def _check_class(config: type[KindConfig], base: type[KindConfig]) -> None:
    """Refuse a class that breaks a rule; one that keeps them is judged once, however often plugins are loaded."""
    config.model_rebuild()  # raises where a field's type is not defined
    kind = config.__pydantic_fields__["kind"]
    if get_origin(kind.annotation) is not Literal or get_args(kind.annotation) != (kind.default,):
        raise PluginError(f'{config.__name__} must declare its kind: kind: Literal["word"] = "word"')
    if config.wraps:
        _check_wraps(config, base)
    _check_methods(config, base)
    if base is NetworkConfig:
        _check_discriminator(config)
    _check_options(config)
    if not all(map(WORD.fullmatch, str(kind.default).split("."))):
        raise PluginError(f"{config.__name__} declares the kind {kind.default!r}: a kind is {WORD_IN_WORDS}")


def _check_wraps(config: type[KindConfig], base: type[KindConfig]) -> None:
    """Refuse to stand for what is no kind of the same slot."""
    if config.wraps not in config.__pydantic_fields__:
        raise PluginError(f"{config.__name__} wraps {config.wraps!r}, which is not an option of it")
    held = config.__pydantic_fields__[config.wraps].annotation
    if not (isinstance(held, type) and issubclass(held, base)):
        what = f"holds {_show_type(held)}, not one kind of the same slot"
        raise PluginError(f"{config.__name__} wraps {config.wraps!r}, which {what}: declare it as {base.__name__}")


def _check_methods(config: type[KindConfig], base: type[KindConfig]) -> None:
    """Refuse methods that cannot be called as the core calls those of the base, and options in their place."""
    methods = {name: method for name, method in vars(base).items() if name[0] != "_" and inspect.isfunction(method)}
    for name, asked in methods.items():
        own = inspect.getattr_static(config, name)
        if name in config.__pydantic_fields__:
            raise PluginError(f"{config.__name__} has an option {name!r}, which is a method of {base.__name__}")
        if own is asked:
            continue
        arguments = ", ".join(inspect.signature(asked).parameters)
        if not isinstance(own, property) and not _takes(own, len(inspect.signature(asked).parameters)):
            raise PluginError(f"{config.__name__}.{name} cannot be called as the core does: define {name}({arguments})")


def _check_discriminator(config: type[KindConfig]) -> None:
    """Refuse a network's options that the discriminator's slot has for itself: it would lose one of the two there."""
    own = {*DiscriminatorOptions.__pydantic_fields__, *(name for name in vars(DiscriminatorOptions) if name[0] != "_")}
    named = {*config.__pydantic_fields__, *(renamed.old for renamed in config.renamed)}
    if taken := sorted(own & named):
        what = f"{config.__name__} has an option {taken[0]!r}"
        raise PluginError(f"{what}, which the discriminator's slot has beside any network's: give it another name")


def _takes(function: Any, arguments: int) -> bool:
    """Whether a method takes a number of positional arguments, itself included."""
    if isinstance(function, staticmethod | classmethod):
        function, arguments = function.__func__, arguments - isinstance(function, staticmethod)
    if not callable(function):
        return False
    try:
        inspect.signature(function).bind(*range(arguments))
    except TypeError:
        return False
    return True


def _check_options(config: type[KindConfig]) -> None:
    """Refuse options that no file can hold: the schema of a spec, with every plugin's kinds, would be lost."""
    if not _holds(config.__pydantic_core_schema__, _CODE):
        return
    for name, field in config.__pydantic_fields__.items():
        declared: Any = Annotated[field.annotation, field]
        try:
            TypeAdapter(declared, config=_ANYTHING).json_schema()
        except PydanticInvalidForJsonSchema:
            what = f"the type of its option {name!r}, {_show_type(field.annotation)}, cannot stand in a spec"
            raise PluginError(f"{config.__name__}: {what}: take text, numbers, lists or kinds") from None


def _holds(schema: Any, types: Collection[str]) -> bool:
    """Whether a schema of pydantic has one of these types at any depth."""
    waiting = [schema]
    while waiting:
        match waiting.pop():
            case dict() as block:
                if block.get("type") in types:
                    return True
                waiting += block.values()
            case list() | tuple() as several:
                waiting += several
    return False


def _show_type(annotation: Any) -> str:
    """A type as it is written in code, without the modules that its names come from."""
    return (
        annotation.__name__
        if isinstance(annotation, type) and not get_args(annotation)
        else re.sub(r"\w+\.", "", str(annotation))
    )


def check_prefix(name: str, plugin: Plugin, separator: str) -> None:
    """Refuse the name of a kind or recipe that does not begin with its plugin's."""
    if plugin.name != CORE and not name.startswith(plugin.name + separator):
        raise PluginError(f"provides {name!r}, but its names must begin with {plugin.name + separator!r}")


def check_renames(kind: Kind) -> None:
    """Refuse an older word of a kind or option that cannot be read, or that means something else today."""
    fields = kind.config.__pydantic_fields__
    for renamed in kind.config.renamed:
        if renamed.new == kind.name:
            check_prefix(renamed.old, kind.plugin, ".")
        elif renamed.new not in fields:
            raise PluginError(f"{kind.name}: {renamed.old!r} is renamed {renamed.new!r}, which is not an option of it")
        elif renamed.old in fields:
            raise PluginError(f"{kind.name}: {renamed.old!r} is renamed {renamed.new!r}, but is still an option of it")
