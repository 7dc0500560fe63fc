"""Settings of several specs side by side: those in which they differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from allmodes.specs import loading
from allmodes_schemas import Spec

OWN = ("name", "description", "label", "schema_version")
"""Settings in which specs differ without being different games."""
ABSENT = "-"

Leaf = tuple[str, str, bool]
"""The dotted name of a setting, its value as text, and whether that is its default."""


def differences(specs: Sequence[Spec]) -> dict[str, list[str]]:
    """The settings in which specs differ, by dotted name, with the value of each spec; a dash where it has none.

    Of a component that some specs lack, only the kind and what is not its default are listed.
    """
    each = [list(_flatten(_dump(spec), spec.model_dump(mode="json", exclude_defaults=True), "")) for spec in specs]
    values = [{name: text for name, text, _ in leaves} for leaves in each]
    told = {name for leaves in each for name, _, is_default in leaves if not is_default or name.endswith(".kind")}
    names = dict.fromkeys(name for one in values for name in one)
    rows = {name: [one.get(name, ABSENT) for one in values] for name in names}
    return {name: row for name, row in rows.items() if len(set(row)) > 1 and (ABSENT not in row or name in told)}


def _dump(spec: Spec) -> dict[str, Any]:
    return {name: value for name, value in loading.dump_values(spec).items() if name not in OWN}


def _flatten(value: Any, chosen: Any, name: str) -> Iterator[Leaf]:
    """Yield the settings of a tree; `chosen` is what of it is no default, and None where nothing is."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            below = chosen.get(key) if isinstance(chosen, Mapping) else None
            yield from _flatten(inner, below, f"{name}.{key}" if name else str(key))
    elif isinstance(value, Sequence) and any(isinstance(one, Mapping) for one in value):
        for place, (inner, word) in enumerate(zip(value, _words(value), strict=True)):
            below = chosen[place] if isinstance(chosen, Sequence) and place < len(chosen) else None
            yield from _flatten(inner, below, f"{name}.{word}")
    else:
        yield name, value if isinstance(value, str) else json.dumps(value), chosen is None


def _words(components: Sequence[Any]) -> list[str]:
    """Name the components of a list after their kinds, so that equal ones stand in a row, or else their places."""
    kinds = [str(one.get("kind", "")) if isinstance(one, Mapping) else "" for one in components]
    counts = Counter(kinds)
    return [kind if kind and counts[kind] == 1 else str(place) for place, kind in enumerate(kinds)]
