"""Building components from their configs, and those within them: of the class of their slot, each with its config.

Loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

from allmodes.registry.faults import ContractError, calling, show
from allmodes.registry.slots import SLOT_BASES
from allmodes_schemas import KindConfig

Built = TypeVar("Built")
Class = TypeVar("Class", bound=type)

_classes: dict[type[KindConfig], type] = {}
"""By base of a slot's configs, the class of what they build."""
_at_work: ContextVar[KindConfig | None] = ContextVar("at_work", default=None)
"""The config that builds."""


def built_from(base: type[KindConfig]) -> Callable[[Class], Class]:
    """Declare a class as that of what configs of a slot build."""

    def declare(built: Class) -> Class:
        _classes[base] = built
        return built

    return declare


def build(what: str, expected: type[Built], config: KindConfig, *arguments: Any, **options: Any) -> Built:
    """What a config builds from arguments; raises ContractError where it is not of the expected class."""
    with calling(" ".join(["build of", *what.split(), config.kind]), config):
        before = _at_work.set(config)
        try:
            built = config.build(*arguments, **options)  # type: ignore[attr-defined]  # each slot's base has its own
        finally:
            _at_work.reset(before)
        if not isinstance(built, expected):
            raise ContractError(f"returns {show(built)}, which is no {expected.__name__}")
    _sign(built, config)
    return built


def guard(config: Any) -> None:
    """Hold what a config class builds to its slot wherever it is built, as by a kind that holds one of its kind."""
    own, expected = config.build, _slot_of(config)
    if hasattr(own, "guarded"):
        return

    @wraps(own)
    def guarded(self: KindConfig, *arguments: Any, **options: Any) -> Any:
        if _at_work.get() is self:  # as in super().build()
            return own(self, *arguments, **options)
        return build("", _classes.get(expected, object), self, *arguments, **options)

    config.build = guarded
    config.build.guarded = True


def _slot_of(config: type[KindConfig]) -> type[KindConfig]:
    return next(base for base in SLOT_BASES.values() if issubclass(config, base))


def _sign(built: object, config: KindConfig) -> None:
    """Note the config that an object and the modules in it, but for those of a kind within, were built from."""
    if hasattr(type(built), "named_modules"):
        for _, module in built.named_modules():  # type: ignore[attr-defined]
            vars(module).setdefault("_built_from", config)
    with suppress(AttributeError):  # an object that takes no further attributes
        object.__setattr__(built, "_built_from", config)
