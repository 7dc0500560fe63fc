"""Slips with keys, colons and indents in a text that is no YAML."""

from __future__ import annotations

import re

from allmodes.specs.yaml_trouble import Slip, Trouble, find_above, indent_of, indent_of_key, quoted, shorten


def colon(trouble: Trouble) -> Slip:
    """A colon where a key cannot end: a second one, a line too deep, or below a line without its own."""
    before = trouble.here[: trouble.column]
    if ": " in before.lstrip(" -"):
        key, _, value = trouble.here.strip().lstrip("- ").partition(": ")
        written = f"{key}: {quoted(value)}"
        return trouble.slip(f"a value with a colon and a blank needs quotes: {shorten(written)}")
    above = find_above(trouble)
    if above is None:
        return trouble.slip("a key cannot stand here: put the text into quotes, if it is a value")
    line, indent = above, indent_of_key(trouble.lines[above])
    if (why := _without_colon(trouble.lines[line])) is not None:
        return Slip(why, line + 1, indent + 1)
    own = indent_of_key(trouble.here)
    depth = f"indented by {own} blanks, but line {line + 1} above, which has a value, by {indent}"
    return Slip(f"{depth}: indent both alike, or end line {line + 1} with its colon", trouble.line + 1, own + 1)


def no_colon(trouble: Trouble) -> Slip:
    """A key without its colon."""
    line = trouble.lines[trouble.began[0]]
    return trouble.at_begin(_without_colon(line) or f"a colon is missing behind {shorten(line.strip())}")


def misindented(trouble: Trouble) -> Slip:
    """A line that stands below no other."""
    open_at = ", ".join(str(column + 1) for column in sorted(_open_columns(trouble)))
    what = "this -" if "sequence" in trouble.problem else "this line"
    have = f"{what} begins in column {trouble.column + 1}, but the blocks above it in {open_at}"
    return trouble.slip(f"{have}: move it to one of these")


def _open_columns(trouble: Trouble) -> set[int]:
    """The columns, from 0, in which the blocks begin that a line could go on with."""
    columns = set[int]()
    for line in reversed(trouble.lines[: trouble.line]):
        begin, key = indent_of(line), indent_of_key(line)
        if line.strip() and not line.lstrip().startswith("#") and all(begin < column for column in columns):
            columns |= {begin, key}
    return columns


def dash(trouble: Trouble) -> Slip:
    """An entry of a list among keys."""
    what = "a - begins an entry of a list, but keys are around it"
    return trouble.slip(f"{what}: remove it, or indent it below its key")


def key_in_list(trouble: Trouble) -> Slip:
    """A key among the entries of a list."""
    began = f"the list that begins in line {trouble.began[0] + 1}"
    return trouble.slip(f"a key stands where {began} has its -: indent it, or end the list before")


def twice(trouble: Trouble) -> Slip:
    """A key that stands twice, or a - without its blank."""
    found = re.match(r'found duplicate key "(.*?)"', trouble.problem)
    key = found[1] if found else ""
    if key.startswith("-"):
        return trouble.slip("a blank is missing behind the -")
    before = trouble.lines[: trouble.line]
    same = [i for i, line in enumerate(before) if line[trouble.column :].partition(":")[0].strip("'\" ") == key]
    first = f"stands in line {same[-1] + 1}" if same else "is there"
    return trouble.slip(f"the key {key!r} {first} already: keep one of them")


def _without_colon(line: str) -> str | None:
    """What is wrong with a line that has no colon with a blank; None where it has one."""
    bare = line.strip().lstrip("- ")
    if re.search(r":(\s|$)", bare):
        return None
    if found := re.match(r"([\w.]+):(\S.*)", bare):
        return f"a blank is missing behind the colon: write {shorten(f'{found[1]}: {found[2]}')}"
    if found := re.match(r"([\w.]+)\s*=\s*(.+)", bare):
        return f"write a colon, not =: {shorten(f'{found[1]}: {found[2]}')}"
    if found := re.match(r"([\w.]+)\s+(.+)", bare):
        return f"a colon is missing: write {shorten(f'{found[1]}: {found[2]}')}"
    return f"a colon is missing behind {shorten(bare)}"


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
