"""The kinds that a spec uses, and what their classes declare."""

from __future__ import annotations

from typing import TypeVar

from allmodes_schemas import KindConfig, kinds_within

T = TypeVar("T")


def kinds_in(value: object) -> list[str]:
    """Every kind that a config names, at any depth."""
    return [config.kind for _, config in kinds_within(value)]


def declared(config: type[KindConfig], name: str, otherwise: T) -> T:
    """What the class of a kind declares; `otherwise` where the settings decide."""
    value: T = getattr(config, name, otherwise)
    return otherwise if isinstance(value, property) else value
