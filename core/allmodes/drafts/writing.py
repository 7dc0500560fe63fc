"""A spec as a commented text, each choice with its reason."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from allmodes.text.printable import printable

WIDTH = 118
"""Columns of a line of comments."""
SCHEMA = "allmodes.schema.json"
"""The schema's file beside the specs that are written."""
SCHEMA_LINE = "# yaml-language-server: $schema="
"""Begins the line by which editors find the schema of a spec."""


def schema_line(schema: str) -> str:
    """Write the line by which editors find a schema, a path relative to the spec or an address."""
    return f"{SCHEMA_LINE}{printable(schema)}\n"


def comments(*sentences: str) -> str:
    """Write sentences as comments, each from a line of its own; the entries of a list, which begin with -, hang."""
    wrapped = (
        textwrap.wrap(
            printable(one), WIDTH - 2, break_long_words=False, subsequent_indent="  " if one.startswith("- ") else ""
        )
        for one in sentences
    )
    return "".join(f"# {line}\n" for lines in wrapped for line in lines)


def block(key: str, value: Any) -> str:
    """Write a block; what is short enough stands on one line."""
    root = CommentedMap({key: _styled(value, WIDTH - len(key) - 2)})
    return _dump(root)


def inline(value: Any) -> str:
    """Write a value as it stands within a line."""
    root = CommentedSeq([_plain(value)])
    root.fa.set_flow_style()
    return _dump(root).strip()[1:-1]


def measured(evaluation: Mapping[str, Any], metrics: Iterable[tuple[Any, str]]) -> str:
    """Write the block of evaluation, with what each metric shows beside it."""
    shown = [(inline(metric), what) for metric, what in metrics]
    wide = max(len(metric) for metric, _ in shown)
    lines = [f"  {key}: {value}\n" for key, value in evaluation.items()]
    lines += ["  metrics:\n", *(f"    - {metric:{wide}}  # {what}\n" for metric, what in shown)]
    return "".join(("evaluation:\n", *lines))


def _styled(value: Any, room: int) -> Any:
    """A copy of a value whose mappings and lists stand on one line where there is room."""
    if not isinstance(value, Mapping | list | tuple):
        return value
    if isinstance(value, Mapping):
        copy: Any = CommentedMap({key: _styled(inner, room - len(str(key)) - 4) for key, inner in value.items()})
    else:
        copy = CommentedSeq([_styled(inner, room - 4) for inner in value])
    if not _lists_mappings(value) and len(inline(value)) <= room:
        copy.fa.set_flow_style()
    return copy


def _lists_mappings(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _dump(root: Any) -> str:
    yaml, written = YAML(), StringIO()
    yaml.width = 2**16
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(root, written)
    return written.getvalue()
