"""Rules that a plugin must keep; one that breaks a rule provides nothing and is kept with its error."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution
from reprlib import repr as short
from typing import Any, Literal, get_args, get_origin

from allmodes.registry import distributions, hookspecs
from allmodes.registry.slots import CORE, Kind, Plugin, PluginError
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import KindConfig

HOOKS = frozenset(name for door in (hookspecs.Providers, hookspecs.Observers) for name in vars(door) if name[0] != "_")

WORD = re.compile("[a-z][a-z0-9_]*")
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
    config.model_rebuild()  # raises where a field's type is not defined
    kind = config.model_fields["kind"]
    if get_origin(kind.annotation) is not Literal or get_args(kind.annotation) != (kind.default,):
        raise PluginError(f'{config.__name__} must declare its kind: kind: Literal["word"] = "word"')
    if config.wraps and config.wraps not in config.model_fields:
        raise PluginError(f"{config.__name__} wraps {config.wraps!r}, which is not an option of it")
    if not all(map(WORD.fullmatch, str(kind.default).split("."))):
        raise PluginError(f"{config.__name__} declares the kind {kind.default!r}: a kind is {WORD_IN_WORDS}")
    return config


def check_prefix(name: str, plugin: Plugin, separator: str) -> None:
    """Refuse the name of a kind or recipe that does not begin with its plugin's."""
    if plugin.name != CORE and not name.startswith(plugin.name + separator):
        raise PluginError(f"provides {name!r}, but its names must begin with {plugin.name + separator!r}")


def check_renames(kind: Kind) -> None:
    """Refuse an older word of a kind or option that cannot be read, or that means something else today."""
    fields = kind.config.model_fields
    for renamed in kind.config.renamed:
        if renamed.new == kind.name:
            check_prefix(renamed.old, kind.plugin, ".")
        elif renamed.new not in fields:
            raise PluginError(f"{kind.name}: {renamed.old!r} is renamed {renamed.new!r}, which is not an option of it")
        elif renamed.old in fields:
            raise PluginError(f"{kind.name}: {renamed.old!r} is renamed {renamed.new!r}, but is still an option of it")
