"""The kinds that a spec uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allmodes_schemas import KindConfig


def kinds_in(value: Any) -> list[str]:
    """Every kind that a config names, at any depth."""
    if isinstance(value, Mapping):
        return [kind for inner in value.values() for kind in kinds_in(inner)]
    if isinstance(value, list | tuple):
        return [kind for inner in value for kind in kinds_in(inner)]
    fields = getattr(type(value), "model_fields", {})
    own = [value.kind] if isinstance(value, KindConfig) else []
    return own + [kind for name in fields for kind in kinds_in(getattr(value, name))]
