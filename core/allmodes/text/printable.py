"""Texts of strangers, made safe to print: characters that steer a terminal or are invisible are escaped."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """Escape control characters in a line: escapes, line breaks, marks of direction and the like."""
    return text if text.isprintable() else "".join(map(_escape, text))


def lines(text: str) -> list[str]:
    """Split a text that has several lines by intention, and make each printable."""
    return [printable(line) for line in text.split("\n")]


def _escape(sign: str) -> str:
    if sign.isprintable() or unicodedata.category(sign) == "Zs":  # spaces that do not break are no harm
        return sign
    return sign.encode("unicode_escape", "surrogatepass").decode("ascii")


__all__ = ["lines", "printable"]
