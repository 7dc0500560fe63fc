"""YAML from untrusted files: bounded in size, number of values and depth, without tags."""

from __future__ import annotations

import copy
import warnings
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.composer import Composer, ComposerError, MaxDepthExceededError
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.reader import ReaderError
from typing_extensions import override

from allmodes.specs import yaml_errors, yaml_keys

BYTES = 2**20
VALUES = 20_000
MARGIN = 5_000  # for the defaults that a stored spec writes out
LEVELS = 40

TOO_LARGE = f"has more than {VALUES:,} values, aliases written out: put long lists into a file of data"
TOO_DEEP = "nested too deeply"


class UnreadableError(ValueError):
    """Invalid YAML; `line` and `column` count from 1, and are None where they are unknown."""

    def __init__(self, reason: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(reason)
        self.line, self.column = line, column


class _Composer(Composer):
    """Counts values while reading, and those of an alias each time that it is used, before memory is taken."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self._values = 0
        self._sizes: dict[str, int] = {}

    @override
    def compose_node(self, parent: Any, index: Any) -> Any:
        event, before = self.parser.peek_event(), self._values
        alias = isinstance(event, AliasEvent)
        self._values += self._sizes.get(event.anchor, 1) if alias else 1
        if problem := self._problem(event, alias):
            raise ComposerError(None, None, problem, event.start_mark)
        node = super().compose_node(parent, index)
        if not alias and event.anchor is not None:
            self._sizes[event.anchor] = self._values - before
        return node

    @override
    def return_alias(self, a: Any) -> Any:
        return _copy(a)  # so that changing one place leaves the other as it is

    def _problem(self, event: Any, alias: bool) -> str:
        if self._values > VALUES + MARGIN:
            return TOO_LARGE
        if alias and event.anchor in self.anchors and event.anchor not in self._sizes:
            return f"alias *{event.anchor} is used within its own value"
        tag = getattr(event, "ctag", None)
        return "" if tag is None else f"tags such as {_shown(tag)} are not allowed: remove it"


class _Constructor(RoundTripConstructor):
    """Reads dates, and a lone = or <<, as text."""


for _word in ("timestamp", "value", "merge"):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_word}", RoundTripConstructor.construct_scalar)


def load(text: str) -> Any:
    """Parse YAML, of which JSON is a part, into mappings and lists with the line and column of every entry.

    Raises UnreadableError for broken syntax, duplicate keys and tags, and where the text is too large or too deep.
    """
    if len(text) > BYTES:
        raise UnreadableError(f"has more than {BYTES // 2**20} MiB: this is not a spec")
    if text.count(",") + text.count("\n") > 4 * VALUES:  # found at once, where the parser takes seconds
        raise UnreadableError(TOO_LARGE)
    yaml = YAML(typ="rt")
    yaml.max_depth, yaml.Composer, yaml.Constructor = LEVELS, _Composer, _Constructor
    try:
        with warnings.catch_warnings(action="ignore"):  # an anchor may be defined again
            return _checked(yaml.load(text))
    except UnreadableError:
        raise
    except (MaxDepthExceededError, RecursionError):
        raise UnreadableError(TOO_DEEP) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = str(error.problem or error.context).splitlines()[0]
        slip = yaml_errors.explain(error, text)
        raise UnreadableError(*(slip or (reason, *((mark.line + 1, mark.column + 1) if mark else ())))) from None
    except ReaderError as error:
        raise UnreadableError(*yaml_errors.explain_character(error, text)) from None
    except Exception as error:  # invalid text raises errors of any type in the parser
        reason = str(error).splitlines()[0] if str(error) and not isinstance(error, KeyError) else type(error).__name__
        raise UnreadableError(f"cannot be read as YAML: {reason}") from None


def _checked(tree: Any) -> Any:
    """A tree whose keys were meant as such. Raises UnreadableError for one such as `kind:ring`."""
    left = [tree]
    while left:
        node = left.pop()
        for key, value in node.items() if isinstance(node, CommentedMap) else ():
            if isinstance(key, str) and (why := yaml_keys.wrong_key(key, value)):
                line, column = node.lc.key(key)
                raise UnreadableError(why, line + 1, column + 1)
        left += node.values() if isinstance(node, CommentedMap) else node if isinstance(node, CommentedSeq) else ()
    return tree


def _copy(node: Any) -> Any:
    """A deep copy of a node."""
    mine = copy.copy(node)
    if isinstance(node.value, list):
        mine.value = [tuple(map(_copy, one)) if isinstance(one, tuple) else _copy(one) for one in node.value]
    return mine


def _shown(tag: Any) -> str:
    """A tag as it is written in the text."""
    return str(tag).replace("tag:yaml.org,2002:", "!!")


__all__ = ["LEVELS", "TOO_DEEP", "TOO_LARGE", "VALUES", "UnreadableError", "load"]
