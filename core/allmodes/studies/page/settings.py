"""Settings of several specs side by side: those in which they differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from allmodes.specs import loading
from allmodes_schemas import Spec

OWN = ("name", "description", "label", "schema_version")
"""Settings in which specs differ without being different games."""
ABSENT = "-"


def differences(specs: Sequence[Spec]) -> dict[str, list[str]]:
    """The settings in which specs differ, by dotted name, with the value of each spec; a dash where it has none."""
    each = [dict(_flatten(loading.dump_values(spec), "")) for spec in specs]
    names = dict.fromkeys(name for one in each for name in one)
    rows = {name: [one.get(name, ABSENT) for one in each] for name in names if name.split(".")[0] not in OWN}
    return {name: values for name, values in rows.items() if len(set(values)) > 1}


def _flatten(value: object, name: str) -> Iterator[tuple[str, str]]:
    """Yield the values of a tree by dotted name; a list of plain values is one, and each component has its place."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flatten(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, Sequence) and any(isinstance(one, Mapping) for one in value):
        for place, inner in enumerate(value):
            yield from _flatten(inner, f"{name}.{place}")
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)
