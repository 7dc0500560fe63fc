"""Faults in the code of components: which call failed, whose code it is, and why, in one line. Loads no torch.

A guard adds a note to the error that passes it, so the error keeps its type and its traceback. Guards nest: a loss that
feeds the discriminator the wrong shape is named before the discriminator.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from reprlib import repr as short
from traceback import walk_tb
from typing import NoReturn

from allmodes.registry.slots import CORE, Plugin
from allmodes_schemas import KindConfig, kinds_within

PLAIN = (str, bytes, int, float, list, tuple, dict, set, type, type(None))

_owners: dict[str, Plugin] = {}
"""The plugin that each module of a registered plugin belongs to."""


FAULTS = (Exception, SystemExit)
"""What is caught around a call of a component, and is its fault; an interrupt is the user's."""


class ContractError(ValueError):
    """A component that breaks its contract; the message says what is wrong and how to mend it."""


class Call(str):
    """A note on an error: a call of a component, and whose code it is."""


def learn(code: object, plugin: Plugin) -> None:
    """Remember whose code a module is, or that of a class, and the package that it lies in."""
    module = _module_of(code)
    package = module.partition(".")[0]
    for name in (module, package if getattr(sys.modules.get(package), "__file__", None) else module):
        _owners[name] = plugin


def owner_of(thing: object) -> str:
    """The distribution and version that the code of an object, class or module is of; else the name of its module.

    An object that was built from a config is its author's, whatever class it has; one from Python is in its own words.
    """
    code = builder_of(thing) or thing
    if isinstance(code, KindConfig) and (whose := getattr(code, "whose", "")):
        return str(whose)
    module = _module_of(code)
    return str(_plugin_of(module) or module)


def blame(error: Exception, what: str, owner: object) -> None:
    """Note on an error that it came out of a call, such as `forward of generator`, of an owner's code."""
    builder = builder_of(owner)
    if not calls(error) and (within := _culprit_within(error, builder, owner)):
        error.add_note(Call(within))
    kind = f"{builder.kind}, " if builder is not None and builder.kind not in what else ""
    call = Call(f"{what} ({kind}{owner_of(owner)})")
    if call not in calls(error):  # the same object may be raised again, for the next seed
        error.add_note(call)


def fail(error: Exception | SystemExit, what: str, owner: object) -> NoReturn:
    """Raise an error again, blamed on a call; an end of the program as a ContractError."""
    fault = as_error(error)
    blame(fault, what, owner)
    raise fault


def _culprit_within(error: Exception, builder: KindConfig | None, owner: object) -> str:
    """The call of another component that an error came out of, as of a kind within a kind; else what may be wrong."""
    for frame in reversed([frame for frame, _ in walk_tb(error.__traceback__)]):
        component, name = frame.f_locals.get("self"), frame.f_code.co_name
        maker, plugin = builder_of(component), _plugin_of(str(frame.f_globals.get("__name__", "")))
        if maker is not None and maker is not builder and not name.startswith("_"):
            return f"{name} of {maker.kind} ({owner_of(maker)})"
        theirs = plugin is not None and plugin.name != CORE
        if maker is builder is not None or (theirs and str(plugin) == owner_of(owner)):
            break
        if maker is None and theirs:
            return f"{frame.f_code.co_qualname} ({plugin})"
    return _around(builder)


def _around(builder: KindConfig | None) -> str:
    """The kinds of plugins that lie within a kind, from which what is wrong may come."""
    inner = [kind for where, kind in kinds_within(builder) if where]
    theirs = [f"{kind.kind} ({owner_of(kind)})" for kind in inner if "." in kind.kind]
    return f"around {', '.join(theirs)}" if theirs else ""


@contextmanager
def calling(what: str, owner: object) -> Iterator[None]:
    """Blame each error of the block on a call; in a training step, `try` and `fail` cost nothing."""
    try:
        yield
    except FAULTS as error:
        fail(error, what, owner)


def trace(error: BaseException) -> None:
    """Blame an error that no guard has seen on the first call into a plugin's code that it came out of, if any."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__) if not calls(error))
    for frame in frames:
        plugin = _plugin_of(str(frame.f_globals.get("__name__", "")))
        if plugin is not None and plugin.name != CORE:
            component, name = frame.f_locals.get("self"), frame.f_code.co_name
            what = f"{name} of {component.kind}" if isinstance(component, KindConfig) else frame.f_code.co_qualname
            error.add_note(Call(f"{what} ({plugin})"))


@contextmanager
def tracing() -> Iterator[None]:
    """Trace each error of the block to a plugin's code."""
    try:
        yield
    except FAULTS as error:
        _fail_traced(error)


def _fail_traced(error: Exception | SystemExit) -> NoReturn:
    fault = as_error(error)
    trace(fault)
    raise fault


def calls(error: BaseException) -> list[str]:
    """The calls that an error came out of, from the outermost on; none where no component's code is to blame."""
    return [note for note in reversed(getattr(error, "__notes__", ())) if isinstance(note, Call)]


def describe(error: BaseException) -> str:
    """An error in words: the calls that it came out of, its type, message and remedy."""
    text = str(error) if isinstance(error, ContractError) else f"{type(error).__name__}: {error}".removesuffix(": ")
    if not (through := calls(error)):
        return text
    return " ".join(": ".join([*through, text + _remedy(error)]).split())


def as_error(error: Exception | SystemExit) -> Exception:
    """An error itself; an end of the program, which is not for a component to decide, as a ContractError."""
    if isinstance(error, Exception):
        return error
    fault = ContractError(f"ends the program ({error!r}): raise an error that says what is wrong")
    fault.__cause__ = error
    return fault.with_traceback(error.__traceback__)


def show(thing: object) -> str:
    """A value in a message: what is no plain value by its class, without its address."""
    return short(thing) if isinstance(thing, PLAIN) else f"a {type(thing).__name__}"


def _remedy(error: BaseException) -> str:
    package = (getattr(error, "name", None) or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return f": install the package that it is in, such as: pip install {package}" if _is_absent(package) else ""


def _is_absent(package: str) -> bool:
    return bool(package) and find_spec(package) is None


def builder_of(thing: object) -> KindConfig | None:
    """The config that an object was built from, if it was built with `build`."""
    return getattr(thing, "__dict__", {}).get("_built_from")


def _plugin_of(module: str) -> Plugin | None:
    """The plugin that a module belongs to, by its name or that of a package around it."""
    words = module.split(".")
    names = (".".join(words[:n]) for n in range(len(words), 0, -1))
    return next((_owners[name] for name in names if name in _owners), None)


def _module_of(thing: object) -> str:
    return str(getattr(thing, "__module__", None) or getattr(thing, "__name__", ""))


__all__ = [
    "FAULTS",
    "Call",
    "ContractError",
    "as_error",
    "blame",
    "builder_of",
    "calling",
    "calls",
    "describe",
    "fail",
    "learn",
    "owner_of",
    "show",
    "trace",
    "tracing",
]
