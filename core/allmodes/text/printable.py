"""Texts of strangers as a terminal may show them: what would steer it, or hide among letters, is spelled out."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """One line without control characters: escapes, line breaks, marks of direction and the like are spelled out."""
    return text if text.isprintable() else "".join(map(_spelled, text))


def lines(text: str) -> list[str]:
    """The lines of a text that has several by intention, each printable."""
    return [printable(line) for line in text.split("\n")]


def _spelled(sign: str) -> str:
    if sign.isprintable() or unicodedata.category(sign) == "Zs":  # spaces that do not break are no harm
        return sign
    return sign.encode("unicode_escape", "surrogatepass").decode("ascii")


__all__ = ["lines", "printable"]
