"""YAML of strangers: how much a text may hold, how deep it may go, and no tags."""

from __future__ import annotations

import copy
import warnings
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError, MaxDepthExceededError
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent

BYTES = 2**20
VALUES = 20_000
ROOM = 5_000  # for the defaults that a stored spec writes out
LEVELS = 40

TOO_LARGE = f"has more than {VALUES:,} values, aliases written out: put long lists into a file of data"
TOO_DEEP = "nested too deeply"


class UnreadableError(ValueError):
    """A text that is not read; `line` and `column` count from 1, where they are known."""

    def __init__(self, what: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(what)
        self.line, self.column = line, column


class _Composer(Composer):
    """Counts values as they are read, those behind an alias once more for each, so that nothing large is ever made."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self._values = 0
        self._behind: dict[str, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next value with all that it holds."""
        event, before = self.parser.peek_event(), self._values
        alias = isinstance(event, AliasEvent)
        self._values += self._behind.get(event.anchor, 1) if alias else 1
        if what := self._refused(event, alias):
            raise ComposerError(None, None, what, event.start_mark)
        node = super().compose_node(parent, index)
        if not alias and event.anchor is not None:
            self._behind[event.anchor] = self._values - before
        return node

    def return_alias(self, a: Any) -> Any:
        """A value of its own, so that changing one place leaves the other as it is."""
        return _own(a)

    def _refused(self, event: Any, alias: bool) -> str:
        if self._values > VALUES + ROOM:
            return TOO_LARGE
        if alias and event.anchor in self.anchors and event.anchor not in self._behind:
            return f"alias *{event.anchor} stands within what it names"
        tag = getattr(event, "ctag", None)
        return "" if tag is None else f"the tag {_written(tag)} is not read: remove it"


class _Constructor(RoundTripConstructor):
    """Leaves dates, and a lone = or <<, what they are in a spec: text."""


for _word in ("timestamp", "value", "merge"):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_word}", RoundTripConstructor.construct_scalar)


def load(text: str) -> Any:
    """Parse YAML (JSON is YAML too) into mappings and lists that know their places.

    Raises UnreadableError for broken syntax, duplicate keys, tags, and for what is too long, too deep or too much.
    """
    if len(text) > BYTES:
        raise UnreadableError(f"has more than {BYTES // 2**20} MiB: that is no spec")
    if text.count(",") + text.count("\n") > 4 * VALUES:  # seen at once; the parser takes seconds
        raise UnreadableError(TOO_LARGE)
    yaml = YAML(typ="rt")
    yaml.max_depth, yaml.Composer, yaml.Constructor = LEVELS, _Composer, _Constructor
    try:
        with warnings.catch_warnings(action="ignore"):  # an anchor may be given anew
            return yaml.load(text)
    except (MaxDepthExceededError, RecursionError):
        raise UnreadableError(TOO_DEEP) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = str(error.problem or error.context).splitlines()[0]
        raise UnreadableError(what, *((mark.line + 1, mark.column + 1) if mark else ())) from None
    except Exception as error:  # of a strange text the parser raises what it happens to stumble over
        said = str(error).splitlines()[0] if str(error) and not isinstance(error, KeyError) else type(error).__name__
        raise UnreadableError(f"not readable as YAML: {said}") from None


def _own(node: Any) -> Any:
    """A node of the tree with nodes of its own below it."""
    mine = copy.copy(node)
    if isinstance(node.value, list):
        mine.value = [tuple(map(_own, one)) if isinstance(one, tuple) else _own(one) for one in node.value]
    return mine


def _written(tag: Any) -> str:
    """A tag as it stands in the text."""
    return str(tag).replace("tag:yaml.org,2002:", "!!")


__all__ = ["LEVELS", "TOO_DEEP", "TOO_LARGE", "VALUES", "UnreadableError", "load"]
