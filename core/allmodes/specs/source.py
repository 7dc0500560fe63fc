"""The source of a spec: parsed YAML with the line and column of every key, and values that override it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.comments import CommentedMap

from allmodes.specs import safe_yaml
from allmodes.specs.safe_yaml import UnreadableError
from allmodes.text.printable import printable
from allmodes_schemas import Location, Spec

LONGEST, MOST = 2000, 50
"""Letters of a message, and messages, that are shown."""


class SpecError(Exception):
    """A spec that cannot be run; the text has a line for each problem."""


@dataclass
class SpecSource:
    """A parsed spec with its name, and the location of each key in the text."""

    tree: Any
    name: str
    overridden: set[Location] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not isinstance(self.tree, Mapping):
            raise SpecError(f"{printable(self.name)}: a spec is a mapping with the keys {', '.join(Spec.model_fields)}")

    def place(self, path: Location) -> str:
        """`file:line:column` of a path or of its nearest existing parent; `--set` where an override set it."""
        if any(path[: len(o)] == o for o in self.overridden):
            return "--set"
        node, line, column = self.tree, 0, 0
        for key in path:
            try:
                line, column = node.lc.key(key) if isinstance(node, CommentedMap) else node.lc.item(key)
                node = node[key]
            except (AttributeError, KeyError, IndexError, TypeError):
                break
        return f"{self.name}:{line + 1}:{column + 1}" if hasattr(self.tree, "lc") else self.name

    def message(self, path: Location, what: str) -> str:
        """A message about a path, with its place, shortened where it is long."""
        dotted = ".".join(map(str, path))
        text = printable(f"{self.place(path)}: {dotted}: {what}" if dotted else f"{self.place(path)}: {what}")
        return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 4 :]}"


def shorten(messages: Sequence[str]) -> list[str]:
    """The first messages, and how many more there are."""
    more = len(messages) - MOST
    return [*messages] if more <= 0 else [*messages[:MOST], f"... and {more:,} more"]


def read(text: str, name: str) -> SpecSource:
    """Parse YAML, of which JSON is a part.

    Raises SpecError with the place of duplicate keys, tags, broken syntax, and of too much or too deep nesting.
    """
    try:
        return SpecSource(safe_yaml.load(text), name)
    except UnreadableError as error:
        place = name if error.line is None else f"{name}:{error.line}:{error.column}"
        raise SpecError(printable(f"{place}: {error}")) from None


def override(source: SpecSource, text: str) -> None:
    """Set a value by its dotted path; missing mappings are created, entries of lists must exist."""
    dotted, equals, value = text.partition("=")
    if not equals or not dotted:
        raise SpecError(printable(f"--set {text}: write it as key.subkey=value"))
    node = source.tree
    try:
        path = tuple(int(part) if part.isdecimal() else part for part in dotted.split("."))
        for key in path[:-1]:
            node = node.setdefault(key, CommentedMap()) if isinstance(node, CommentedMap) else node[key]
        node[path[-1]] = safe_yaml.load(value)
    except UnreadableError as error:
        raise SpecError(printable(f"--set {text}: {error}")) from None
    except (IndexError, KeyError, TypeError, ValueError):
        raise SpecError(printable(f"--set {text}: there is no {dotted} to set")) from None
    source.overridden.add(path)
