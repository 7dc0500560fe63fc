"""What is wrong with a text that is no YAML, in plain words: where the slip is, and the way out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

CLOSED_BY = {"[": "]", "{": "}"}
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


def explain(error: MarkedYAMLError, text: str) -> Slip | None:
    """The slip behind a parser's error; None for one that it names well itself, or names no place for."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return None
    start = error.context_mark or mark
    problem = str(error.problem or error.context).splitlines()[0]
    trouble = Trouble(text, problem, mark.line, mark.column, (start.line, start.column))
    return next((slip for begins, rule in RULES if problem.startswith(begins) if (slip := rule(trouble))), None)


def explain_character(error: ReaderError, text: str) -> Slip:
    """The slip of a character that no text file has."""
    before = text[: text.find(chr(error.character))] if isinstance(error.character, int) else ""
    code = f"U+{error.character:04X}" if isinstance(error.character, int) else str(error.character)
    line = before.count("\n") + 1
    return Slip(f"the invisible character {code} stands here: remove it", line, len(before) - before.rfind("\n"))


def _tab_or_sign(trouble: Trouble) -> Slip:
    sign = trouble.here[trouble.column : trouble.column + 1]
    if sign != "\t":
        return trouble.slip(f"a value cannot begin with {sign}: put it into quotes, as '{_word(trouble)}'")
    if trouble.here[: trouble.column].strip():
        return trouble.slip("a tab stands here: write a blank")
    return trouble.slip("the line is indented by a tab, which YAML does not allow: write two blanks for each")


def _colon(trouble: Trouble) -> Slip:
    """A colon where a key cannot end: a second one, a line too deep, or below a line without its own."""
    before = trouble.here[: trouble.column]
    if ": " in before.lstrip(" -"):
        key, _, value = trouble.here.strip().lstrip("- ").partition(": ")
        written = f"{key}: {_quoted(value)}"
        return trouble.slip(f"a value with a colon and a blank needs quotes: {_short(written)}")
    above = _above(trouble)
    if above is None:
        return trouble.slip("a key cannot stand here: put the text into quotes, if it is a value")
    line, indent = above, _indent_of_key(trouble.lines[above])
    if (why := _without_colon(trouble.lines[line])) is not None:
        return Slip(why, line + 1, indent + 1)
    own = _indent_of_key(trouble.here)
    depth = f"indented by {own} blanks, but line {line + 1} above, which has a value, by {indent}"
    return Slip(f"{depth}: indent both alike, or end line {line + 1} with its colon", trouble.line + 1, own + 1)


def _no_colon(trouble: Trouble) -> Slip:
    line = trouble.lines[trouble.began[0]]
    return trouble.at_begin(_without_colon(line) or f"a colon is missing behind {_short(line.strip())}")


def _misindented(trouble: Trouble) -> Slip:
    """A line that stands below no other."""
    open_at = ", ".join(str(column + 1) for column in sorted(_open_columns(trouble)))
    what = "this -" if "sequence" in trouble.problem else "this line"
    have = f"{what} begins in column {trouble.column + 1}, but the blocks above it in {open_at}"
    return trouble.slip(f"{have}: move it to one of these")


def _open_columns(trouble: Trouble) -> set[int]:
    """The columns, from 0, in which the blocks begin that a line could go on with."""
    columns = set[int]()
    for line in reversed(trouble.lines[: trouble.line]):
        begin, key = _indent(line), _indent_of_key(line)
        if line.strip() and not line.lstrip().startswith("#") and all(begin < column for column in columns):
            columns |= {begin, key}
    return columns


def _dash(trouble: Trouble) -> Slip:
    what = "a - begins an entry of a list, but keys are around it"
    return trouble.slip(f"{what}: remove it, or indent it below its key")


def _key_in_list(trouble: Trouble) -> Slip:
    began = f"the list that begins in line {trouble.began[0] + 1}"
    return trouble.slip(f"a key stands where {began} has its -: indent it, or end the list before")


def _behind_quotes(trouble: Trouble) -> Slip:
    end = "put all of the value into quotes; within '...' a ' is written twice"
    return trouble.slip(f"text follows the closing quote: {end}")


def _closes_nothing(trouble: Trouble) -> Slip:
    sign = trouble.here[trouble.column : trouble.column + 1]
    return trouble.slip(f"this {sign} closes nothing: remove it")


def _in_brackets(trouble: Trouble) -> Slip:
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
    return _unclosed(trouble) or trouble.slip("a comma is missing before the entry that stands here")


def _unclosed(trouble: Trouble) -> Slip | None:
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


def _no_value(trouble: Trouble) -> Slip:
    if unclosed := _unclosed(trouble):
        return unclosed
    found = trouble.problem.rpartition("found ")[2].strip("'")
    return trouble.slip(f"a value is missing before {found}: write one, or put {found} into quotes")


def _open_quote(trouble: Trouble) -> Slip:
    sign = trouble.lines[trouble.began[0]][trouble.began[1] : trouble.began[1] + 1]
    return trouble.at_begin(f"this {sign} is opened and never closed: add another at the end of the value")


def _twice(trouble: Trouble) -> Slip:
    found = re.match(r'found duplicate key "(.*?)"', trouble.problem)
    key = found[1] if found else ""
    if key.startswith("-"):
        return trouble.slip("a blank is missing behind the -")
    before = trouble.lines[: trouble.line]
    same = [i for i, line in enumerate(before) if line[trouble.column :].partition(":")[0].strip("'\" ") == key]
    first = f"stands in line {same[-1] + 1}" if same else "is there"
    return trouble.slip(f"the key {key!r} {first} already: keep one of them")


def _star(trouble: Trouble) -> Slip:
    """A value that begins with a sign of YAML's own: an alias or an anchor."""
    line, column = trouble.began if "expected" in trouble.problem else (trouble.line, trouble.column)
    word = trouble.lines[line][column:].partition(" #")[0].strip().rstrip(",]}")
    missing = f"nothing above is marked &{_short(word[1:])}; " if word.startswith("*") and word[1:] else ""
    quotes = f"a text that begins with {word[:1]} needs quotes: {_quoted(_short(word))}"
    return Slip(missing + quotes, line + 1, column + 1)


def _escape(trouble: Trouble) -> Slip:
    sign = trouble.here[trouble.column : trouble.column + 1]
    return trouble.slip(f"within \"...\" a backslash begins an escape, and \\{sign} is none: write '...' instead")


def _second_document(trouble: Trouble) -> Slip:
    return trouble.slip("--- begins a second document, but a spec is one: remove the line, or write two files")


def _block_text(trouble: Trouble) -> Slip:
    return trouble.slip("the text behind | or > begins in the next line, indented")


def _above(trouble: Trouble) -> int | None:
    """The nearest line above with anything on it."""
    lines = trouble.lines[: trouble.line]
    return next((i for i in reversed(range(len(lines))) if lines[i].strip() and lines[i].strip()[0] != "#"), None)


def _without_colon(line: str) -> str | None:
    """What is wrong with a line that has no colon with a blank; None where it has one."""
    bare = line.strip().lstrip("- ")
    if re.search(r":(\s|$)", bare):
        return None
    if found := re.match(r"([\w.]+):(\S.*)", bare):
        return f"a blank is missing behind the colon: write {_short(f'{found[1]}: {found[2]}')}"
    if found := re.match(r"([\w.]+)\s*=\s*(.+)", bare):
        return f"write a colon, not =: {_short(f'{found[1]}: {found[2]}')}"
    if found := re.match(r"([\w.]+)\s+(.+)", bare):
        return f"a colon is missing: write {_short(f'{found[1]}: {found[2]}')}"
    return f"a colon is missing behind {_short(bare)}"


def wrong_text(text: str) -> str | None:
    """What is wrong with a whole text that is read as one value, such as `name:a`; None where nothing is."""
    return _without_colon(text) if re.fullmatch(r"[\w.]+:\S.*", text) else None


def wrong_key(key: str, value: object) -> str | None:
    """What is wrong with a key that YAML reads and nobody meant, such as `kind:ring`; None where nothing is."""
    if re.match(r"-\S", key):
        return "a blank is missing behind the -"
    if key != key.strip():
        return "the line is indented by characters that only look like blanks: write blanks"
    return wrong_text(key) if value is None else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _indent_of_key(line: str) -> int:
    """The column of the key in a line, behind the - of a list."""
    return len(line) - len(line.lstrip(" -")) if re.match(r" *(- +)+[^{\[]", line) else _indent(line)


def _word(trouble: Trouble) -> str:
    return _short(trouble.here[trouble.column :].partition(" #")[0].strip())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


RULES: tuple[tuple[str, Callable[[Trouble], Slip | None]], ...] = (
    ("found character", _tab_or_sign),
    ("mapping values are not allowed", _colon),
    ("could not find expected ':'", _no_colon),
    ("expected <block end>, but found '<block", _misindented),
    ("expected <block end>, but found '-'", _dash),
    ("expected <block end>, but found '?'", _key_in_list),
    ("expected <block end>, but found '<scalar>'", _behind_quotes),
    ("expected <block end>, but found ']'", _closes_nothing),
    ("expected <block end>, but found '}'", _closes_nothing),
    ("expected ',' or", _in_brackets),
    ("found unexpected end of stream", _open_quote),
    ("found duplicate key", _twice),
    ("found undefined alias", _star),
    ("expected alphabetic or numeric character", _star),
    ("found unknown escape character", _escape),
    ("but found another document", _second_document),
    ("expected chomping or indentation", _block_text),
    ("expected the node content", _no_value),
)
"""How the parser's messages begin, with what they mean."""
