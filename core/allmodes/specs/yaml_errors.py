"""What is wrong with a text that is no YAML, in plain words: where the slip is, and the way out."""

from __future__ import annotations

from collections.abc import Callable

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from allmodes.specs import yaml_brackets, yaml_keys
from allmodes.specs.yaml_trouble import Slip, Trouble, quoted, shorten, word_at


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
        return trouble.slip(f"a value cannot begin with {sign}: put it into quotes, as '{word_at(trouble)}'")
    if trouble.here[: trouble.column].strip():
        return trouble.slip("a tab stands here: write a blank")
    return trouble.slip("the line is indented by a tab, which YAML does not allow: write two blanks for each")


def _star(trouble: Trouble) -> Slip:
    """A value that begins with a sign of YAML's own: an alias or an anchor."""
    line, column = trouble.began if "expected" in trouble.problem else (trouble.line, trouble.column)
    word = trouble.lines[line][column:].partition(" #")[0].strip().rstrip(",]}")
    missing = f"nothing above is marked &{shorten(word[1:])}; " if word.startswith("*") and word[1:] else ""
    quotes = f"a text that begins with {word[:1]} needs quotes: {quoted(shorten(word))}"
    return Slip(missing + quotes, line + 1, column + 1)


def _escape(trouble: Trouble) -> Slip:
    sign = trouble.here[trouble.column : trouble.column + 1]
    return trouble.slip(f"within \"...\" a backslash begins an escape, and \\{sign} is none: write '...' instead")


def _second_document(trouble: Trouble) -> Slip:
    return trouble.slip("--- begins a second document, but a spec is one: remove the line, or write two files")


def _block_text(trouble: Trouble) -> Slip:
    return trouble.slip("the text behind | or > begins in the next line, indented")


RULES: tuple[tuple[str, Callable[[Trouble], Slip | None]], ...] = (
    ("found character", _tab_or_sign),
    ("mapping values are not allowed", yaml_keys.colon),
    ("could not find expected ':'", yaml_keys.no_colon),
    ("expected <block end>, but found '<block", yaml_keys.misindented),
    ("expected <block end>, but found '-'", yaml_keys.dash),
    ("expected <block end>, but found '?'", yaml_keys.key_in_list),
    ("expected <block end>, but found '<scalar>'", yaml_brackets.behind_quotes),
    ("expected <block end>, but found ']'", yaml_brackets.closes_nothing),
    ("expected <block end>, but found '}'", yaml_brackets.closes_nothing),
    ("expected ',' or", yaml_brackets.in_brackets),
    ("found unexpected end of stream", yaml_brackets.open_quote),
    ("found duplicate key", yaml_keys.twice),
    ("found undefined alias", _star),
    ("expected alphabetic or numeric character", _star),
    ("found unknown escape character", _escape),
    ("but found another document", _second_document),
    ("expected chomping or indentation", _block_text),
    ("expected the node content", yaml_brackets.no_value),
)
"""How the parser's messages begin, with what they mean."""
