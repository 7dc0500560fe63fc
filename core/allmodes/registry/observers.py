"""Observers of runs: what makes an object one, what each of its hooks is given, and what is wrong with it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from itertools import count
from types import MappingProxyType
from typing import Any, TypeAlias

import pluggy
from typing_extensions import override

from allmodes.registry import hookspecs
from allmodes.registry.slots import PluginError
from allmodes.text.suggest import did_you_mean

PREFIX = f"{hookspecs.PROJECT}_"
NEAR = 0.9
"""How similar a method's name is to that of a hook if it was meant as one; `metrics_logged_count` was not."""

HOOKS: Mapping[str, tuple[str, ...]] = {
    name: tuple(inspect.signature(function).parameters)[1:]
    for name, function in vars(hookspecs.Observers).items()
    if name.startswith(PREFIX)
}
"""By hook of observers, what it is given."""


class Hooks(pluggy.PluginManager):
    """Hooks whose observers need no marker: a function named like one of theirs is one."""

    @override
    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        if (marked := super().parse_hookimpl_opts(plugin, name)) is not None or name not in HOOKS:
            return marked
        return pluggy.HookimplOpts(
            wrapper=False, hookwrapper=False, optionalhook=False, tryfirst=False, trylast=False, specname=None
        )


Given: TypeAlias = Mapping[str, object] | Iterable[object]
"""Observers by name, or a list of them."""


def name_observers(given: Given, beside: Mapping[str, object] = MappingProxyType({})) -> dict[str, object]:
    """Observers by name, after those `beside` them; those given without a name are named after their classes.

    Raises PluginError where one is given twice, or would not observe as it is meant to.
    """
    named = given if isinstance(given, Mapping) else _by_class(given, beside)
    if twice := [name for name in named if name in beside]:
        raise PluginError(f"observer {twice[0]!r} is there already: choose another name")
    for name, observer in named.items():
        check_observer(observer, name)
    found = {**beside, **named}
    if len({id(observer) for observer in found.values()}) < len(found):
        raise PluginError(f"an observer is given twice among {', '.join(found)}: give it once")
    return found


def check_observer(observer: object, name: str) -> None:
    """Refuse what would observe nothing, or other things than it is meant to.

    Raises PluginError for a class, for a hook with a misspelt name or other arguments, and where there is no hook.
    """
    if isinstance(observer, type):
        raise PluginError(f"observer {name!r} is a class: give an object of it, such as {observer.__name__}()")
    hooks = [(method, _hook_of(observer, method, name)) for method in dir(observer) if method[0] != "_"]
    found = [(method, hook) for method, hook in hooks if hook]
    for method, hook in found:
        _check_call(getattr(observer, method), method, hook, name)
    if not found:
        raise PluginError(f"observer {name!r} has no hook, so it would observe nothing: there are {', '.join(HOOKS)}")


def choose_arguments(function: Any, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those of the given arguments that a function takes by name."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return given
    return {parameter.name: given[parameter.name] for parameter in parameters if parameter.name in given}


def waits(function: Any) -> bool:
    """Whether a call of a function would only prepare it to run."""
    return inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function)


def _by_class(observers: Iterable[object], beside: Mapping[str, object]) -> dict[str, object]:
    """Observers by the names of their classes; further ones of a name are numbered."""
    named: dict[str, object] = {}
    for observer in observers:
        word = observer.__name__ if isinstance(observer, type) else type(observer).__name__
        names = (f"{word}-{n}" if n > 1 else word for n in count(1))
        named[next(name for name in names if name not in named and name not in beside)] = observer
    return named


def _hook_of(observer: object, method: str, name: str) -> str:
    """The hook that a method is; empty where it is none. Raises PluginError where it was meant as one."""
    value = inspect.getattr_static(observer, method)
    options = getattr(value, f"{hookspecs.PROJECT}_impl", None)
    hook = str((options and options.get("specname")) or method)
    if hook in HOOKS:
        if not inspect.isroutine(getattr(observer, method)):
            raise PluginError(f"observer {name!r}: {method} is not a function")
        return hook
    if options or (callable(value) and _is_meant(hook)):
        near = f"{PREFIX}{hook.removeprefix(PREFIX)}"
        raise PluginError(f"observer {name!r}: there is no hook {hook!r}{did_you_mean(near, HOOKS)}")
    return ""


def _is_meant(method: str) -> bool:
    """Whether a method that is no hook was meant as one: by its prefix, or as it is nearly called like one."""
    bare = [hook.removeprefix(PREFIX) for hook in HOOKS]
    return method.startswith(PREFIX) or bool(get_close_matches(method, [*HOOKS, *bare], 1, NEAR))


def _check_call(function: Any, method: str, hook: str, name: str) -> None:
    """Refuse a hook that cannot be called by name with what it is given, or that would only be prepared to run."""
    if waits(function):
        raise PluginError(
            f"observer {name!r}: {method} would be called and never run: write a plain function, without yield"
        )
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.default is parameter.empty and (
            parameter.name not in HOOKS[hook] or parameter.kind is parameter.POSITIONAL_ONLY
        ):
            gives = f"it gives, by name, {', '.join(HOOKS[hook])}"
            guess = did_you_mean(parameter.name, HOOKS[hook])
            raise PluginError(
                f"observer {name!r}: {method} takes {parameter.name!r}, which the hook does not give{guess}: {gives}"
            )
