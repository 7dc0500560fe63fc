"""The kinds that a spec uses."""

from __future__ import annotations

from allmodes_schemas import kinds_within


def kinds_in(value: object) -> list[str]:
    """Every kind that a config names, at any depth."""
    return [config.kind for _, config in kinds_within(value)]
