"""The source of a spec: parsed YAML with the line and column of every key, and values that override it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml.comments import CommentedMap

from allmodes.specs import safe_yaml, yaml_keys
from allmodes.specs.safe_yaml import UnreadableError
from allmodes.text.printable import printable
from allmodes_schemas import KindConfig, Location, Spec

LONGEST, MOST = 2000, 50
"""Letters of a message, and messages, that are shown."""


class SpecError(Exception):
    """A spec that cannot be run; the text has a line for each problem."""


class SweepError(SpecError):
    """A file that stands for several specs, where one is asked for."""


@dataclass
class SpecSource:
    """A parsed spec with its name, the location of each key in the text, and where each override comes from."""

    tree: Any
    name: str
    overridden: dict[Location, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.tree, Mapping):
            raise SpecError(f"{printable(self.name)}: a spec is a mapping with the keys {', '.join(Spec.model_fields)}")

    def place(self, path: Location) -> str:
        """`file:line:column` of a path or of its nearest existing parent; `--set` where an override set it."""
        if origin := self._origin(lambda where: path[: len(where)] == where):
            return origin
        node, line, column = self.tree, 0, 0
        for key in path:
            try:
                line, column = node.lc.key(key) if isinstance(node, CommentedMap) else node.lc.item(key)
                node = node[key]
            except (AttributeError, KeyError, IndexError, TypeError):
                if origin := self._origin(lambda where: where[: len(path)] == path):  # which made the key
                    return origin
                break
        return f"{self.name}:{line + 1}:{column + 1}" if hasattr(self.tree, "lc") else self.name

    def put(self, path: Location, value: Any, origin: str) -> None:
        """Set a value by its path; missing mappings are created, of a default kind's name, entries of lists must exist.

        Raises LookupError, TypeError or ValueError where there is nothing to set.
        """
        node = self.tree
        for i, key in enumerate(path[:-1], 1):
            node = node.setdefault(key, _default_block(path[:i])) if isinstance(node, dict) else node[key]
        node[path[-1]] = value
        self.overridden[path] = origin

    def _origin(self, is_meant: Callable[[Location], bool]) -> str:
        """Where the deepest of some overrides comes from; empty where there is none."""
        found = [where for where in self.overridden if is_meant(where)]
        return self.overridden[max(found, key=len)] if found else ""

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
        tree = safe_yaml.load(text)
        if isinstance(tree, str) and (why := yaml_keys.wrong_text(tree)):
            raise UnreadableError(why, 1, 1)
        return SpecSource(tree, name)
    except UnreadableError as error:
        place = name if error.line is None else f"{name}:{error.line}:{error.column}"
        raise SpecError(printable(f"{place}: {error}")) from None


def override(source: SpecSource, text: str) -> None:
    """Set a value by its dotted path; missing mappings are created, entries of lists must exist."""
    dotted, equals, value = text.partition("=")
    if not equals or not dotted:
        raise SpecError(printable(f"--set {text}: write it as key.subkey=value"))
    try:
        source.put(to_path(dotted), safe_yaml.load(value), "--set")
    except UnreadableError as error:
        raise SpecError(printable(f"--set {text}: {error}")) from None
    except (LookupError, TypeError, ValueError):
        raise SpecError(printable(f"--set {text}: there is no {dotted} to set")) from None


def _default_block(path: Location) -> CommentedMap:
    """The block that stands at a path where a spec leaves it out: of a kind its name and what it sets, else nothing."""
    top = Spec.model_fields.get(str(path[0]))
    node: Any = top.get_default(call_default_factory=True) if top else None
    for key in path[1:]:
        node = getattr(node, str(key), None)
    is_kind = isinstance(node, KindConfig)
    return CommentedMap({"kind": node.kind, **node.model_dump(exclude_defaults=True)}) if is_kind else CommentedMap()


def to_path(dotted: str) -> Location:
    """The keys of a dotted path: `losses.1.weight` is that of the second loss."""
    return tuple(int(part) if part.isdecimal() else part for part in dotted.split("."))
