"""Slips with brackets and quotes in a text that is no YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator

from allmodes.specs.yaml_trouble import Slip, Trouble

CLOSED_BY = {"[": "]", "{": "}"}


def behind_quotes(trouble: Trouble) -> Slip:
    """Text follows a closing quote."""
    end = "put all of the value into quotes; within '...' a ' is written twice"
    return trouble.slip(f"text follows the closing quote: {end}")


def closes_nothing(trouble: Trouble) -> Slip:
    """A closing bracket without an opening one."""
    sign = trouble.here[trouble.column : trouble.column + 1]
    return trouble.slip(f"this {sign} closes nothing: remove it")


def in_brackets(trouble: Trouble) -> Slip:
    """A comma or a closing bracket is missing."""
    opened = trouble.lines[trouble.began[0]][trouble.began[1] : trouble.began[1] + 1]
    close = CLOSED_BY.get(opened, "")
    sign = trouble.here[trouble.column : trouble.column + 1]
    if sign in CLOSED_BY.values() and sign != close:
        place = f"in line {trouble.began[0] + 1}, column {trouble.began[1] + 1}"
        return trouble.slip(f"the {opened} {place} is closed by {sign}: write {close}")
    if trouble.line == trouble.began[0]:
        or_open = f"or the {opened} in column {trouble.began[1] + 1} is not closed"
        return trouble.slip(f"a comma is missing before the entry that stands here, {or_open}")
    return find_unclosed(trouble) or trouble.slip("a comma is missing before the entry that stands here")


def find_unclosed(trouble: Trouble) -> Slip | None:
    """The first bracket that is opened and not closed, wherever the parser noticed."""
    found = next(_left_open(trouble.text), None)
    if found is None:
        return None
    sign, line, column = found
    return Slip(f"this {sign} is opened and never closed: add {CLOSED_BY[sign]}", line + 1, column + 1)


def _left_open(text: str) -> Iterator[tuple[str, int, int]]:
    """The brackets outside of quotes and comments that are not closed, innermost first."""
    stack: list[tuple[str, int, int]] = []
    for number, line in enumerate(text.splitlines()):
        bare = re.sub(r""""(\\.|[^"\\])*"|'[^']*'|(^|\s)#.*""", lambda found: " " * len(found[0]), line)
        for column, sign in enumerate(bare):
            if sign in CLOSED_BY:
                stack.append((sign, number, column))
            elif stack and sign == CLOSED_BY[stack[-1][0]]:
                stack.pop()
    yield from reversed(stack)


def no_value(trouble: Trouble) -> Slip:
    """A value is missing, or a bracket before it is not closed."""
    if unclosed := find_unclosed(trouble):
        return unclosed
    found = trouble.problem.rpartition("found ")[2].strip("'")
    return trouble.slip(f"a value is missing before {found}: write one, or put {found} into quotes")


def open_quote(trouble: Trouble) -> Slip:
    """A quote that is never closed."""
    sign = trouble.lines[trouble.began[0]][trouble.began[1] : trouble.began[1] + 1]
    return trouble.at_begin(f"this {sign} is opened and never closed: add another at the end of the value")
