"""Where a parser of YAML stopped, what a slip is, and words and indents of the lines around it."""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST = 60
"""Letters of the text that a message quotes."""


class Slip(NamedTuple):
    """What is wrong, and its line and column from 1."""

    reason: str
    line: int
    column: int


class Trouble(NamedTuple):
    """A parser's error: what it says, where it stopped and where what it was reading began, counted from 0."""

    text: str
    problem: str
    line: int
    column: int
    began: tuple[int, int]

    @property
    def lines(self) -> list[str]:
        """The lines of the text, and an empty one behind them."""
        return [*self.text.splitlines(), ""]

    @property
    def here(self) -> str:
        """The line at which the parser stopped."""
        return self.lines[min(self.line, len(self.lines) - 1)]

    def slip(self, reason: str) -> Slip:
        """A slip where the parser stopped."""
        return Slip(reason, self.line + 1, self.column + 1)

    def at_begin(self, reason: str) -> Slip:
        """A slip where what the parser was reading began."""
        return Slip(reason, self.began[0] + 1, self.began[1] + 1)


def find_above(trouble: Trouble) -> int | None:
    """The nearest line above with anything on it."""
    lines = trouble.lines[: trouble.line]
    return next((i for i in reversed(range(len(lines))) if lines[i].strip() and lines[i].strip()[0] != "#"), None)


def indent_of(line: str) -> int:
    """The column of the first letter of a line, from 0."""
    return len(line) - len(line.lstrip(" "))


def indent_of_key(line: str) -> int:
    """The column of the key in a line, behind the - of a list."""
    return len(line) - len(line.lstrip(" -")) if re.match(r" *(- +)+[^{\[]", line) else indent_of(line)


def word_at(trouble: Trouble) -> str:
    """The word at which the parser stopped, to its end or a comment."""
    return shorten(trouble.here[trouble.column :].partition(" #")[0].strip())


def quoted(text: str) -> str:
    """A text in single quotes, as YAML writes it."""
    return "'" + text.replace("'", "''") + "'"


def shorten(text: str) -> str:
    """A text that is not too long to be quoted in a message."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
