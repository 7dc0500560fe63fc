"""Cells of text: which are numbers, which mean a missing one, and what others look like."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

MISSING = frozenset((
    "", "na", "n/a", "<na>", "nan", "-nan", "#n/a", "#na", "null", "none", "nil", "nat", "-", "--", "?", ".", "missing",
    "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan",
))  # fmt: skip
"""Texts of a missing cell, in small letters."""
LONGEST = 330
"""Letters of a cell that may be a number."""
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
_DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T].*)?|\d{1,2}:\d{2}(:.*)?")
_DRESSED = re.compile(r"[^\w\s#]*\s*([+-]?[\d.,'\u2019 \u00a0\u202f_]*\d[\d.,]*([eEdD][+-]?\d+)?)\s*[^\w\s]*")
_WITH_UNIT = re.compile(r"[+-]?\d[\d.,]*\s?([^\W\d_/]{1,5}([/\u00b2\u00b3][^\W\d_]{0,3})?)|([A-Z]{3}) [+-]?\d[\d.,]*")
_GROUPED = r"[+-]?[1-9]\d{{0,2}}({0}\d{{2,3}})*{0}\d{{3}}"
THOUSANDS = {",": ",", ".": ".", "'": "'\u2019", "space": " \u00a0\u202f"}
"""Signs that each way to separate thousands stands for."""


@dataclass(frozen=True)
class NumberFormat:
    """How a file writes numbers.

    Attributes:
        decimal: Before decimals: a point or a comma.
        thousands: Between thousands: `none`, or a name in `THOUSANDS`.
        missing: More texts that mean a missing cell; of a number, however it is written: -999 is -999.0, too.
    """

    decimal: str = "."
    thousands: str = "none"
    missing: frozenset[str] = frozenset()
    _grouping: re.Pattern[str] | None = field(init=False, default=None, compare=False)
    _absent: frozenset[float] = field(init=False, default=frozenset(), compare=False)

    def __post_init__(self) -> None:
        numbers = frozenset(float(text) for text in self.missing if PLAIN.fullmatch(text))
        object.__setattr__(self, "_absent", numbers)
        if self.thousands != "none":
            sign = f"[{re.escape(THOUSANDS[self.thousands])}]"
            pattern = rf"{_GROUPED.format(sign)}(?=$|[eE{re.escape(self.decimal)}])"
            object.__setattr__(self, "_grouping", re.compile(pattern))

    def parse_all(self, cells: Sequence[str]) -> list[float]:
        """Parse cells: NaN where a number is missing.

        Raises:
            ValueError: If a cell holds something else.
        """
        try:
            if self == _USUAL and "_" not in "".join(cells):
                return list(map(float, cells))  # quick, and right for nearly all
        except ValueError:
            pass
        return [self.parse(cell) for cell in cells]

    def parse(self, cell: str) -> float:
        """Parse a cell: NaN where the number is missing.

        Raises:
            ValueError: If it holds something else.
        """
        text = cell.strip().replace("\u2212", "-")
        if text.lower() in MISSING or text in self.missing:
            return math.nan
        if len(text) <= LONGEST and self._grouping and (found := self._grouping.match(text)):
            text = re.sub(r"[^\d+-]", "", found[0]) + text[found.end() :]
        if self.decimal != ".":
            text = text.replace(".", "_").replace(self.decimal, ".")
        if len(text) > LONGEST or not PLAIN.fullmatch(text):
            raise ValueError(f"{cell!r} is not a number")
        number = float(text)
        return math.nan if number in self._absent else number


_USUAL = NumberFormat()


def is_number(cell: str) -> bool:
    """Whether a cell is a number as programs write it."""
    return len(cell) <= LONGEST and PLAIN.fullmatch(cell.strip()) is not None


def looks_like_number(cell: str) -> bool:
    """Whether a person reads a cell as a number: with commas, spaces, currency or per cent, but not as a date."""
    text = cell.strip()
    return len(text) <= LONGEST and not _DATE.fullmatch(text) and _DRESSED.fullmatch(text) is not None


def unit_of(cell: str) -> str | None:
    """The unit of a cell that may be a number with its unit: `kg` of `12 kg`, `USD` of `USD 12`."""
    found = _WITH_UNIT.fullmatch(cell.strip()) if len(cell) <= LONGEST else None
    return found and (found[1] or found[3])


def sort_of(cell: str) -> str:
    """Kind of a cell without a number, in a word."""
    text = cell.strip()[:LONGEST]
    if _DATE.fullmatch(text):
        return "dates or times"
    if text.lower() in ("true", "false", "yes", "no", "t", "f", "y", "n"):
        return "yes or no"
    return "text"


def advice(cells: Sequence[str]) -> str:
    """Advice on cells that look like numbers: options that read all of them."""
    decimal, marks, both = _ways(cells)
    if decimal and marks:
        return "a comma may stand before decimals or between thousands: set decimal: ',' or thousands: ','"
    if decimal:
        return "decimals take a point, or set decimal: ','"
    if marks:
        return f"write numbers without separators, or set thousands: {_quote(marks[0])}"
    if both:
        return f"decimals take a point, or set decimal: ',' and thousands: {_quote(both[0])}"
    return "write plain numbers such as 1234.5"


def settings(cells: Sequence[str]) -> dict[str, str]:
    """The options that read all of these cells, where there is one way only; else none."""
    decimal, marks, both = _ways(cells)
    if decimal or marks:
        return {} if decimal and marks else {"decimal": ","} if decimal else {"thousands": marks[0]}
    return {"decimal": ",", "thousands": both[0]} if both else {}


def _ways(cells: Sequence[str]) -> tuple[bool, list[str], list[str]]:
    """Whether a comma before decimals reads all cells; what between thousands does; and what does with that comma."""
    marks = [
        name for name in THOUSANDS if all(_reads(NumberFormat(thousands=name), cell) for cell in cells) and name != "."
    ]
    decimal = all(_reads(NumberFormat(","), cell) for cell in cells)
    both = [name for name in THOUSANDS if name != "," and all(_reads(NumberFormat(",", name), cell) for cell in cells)]
    return decimal, marks, both


def _reads(way: NumberFormat, cell: str) -> bool:
    try:
        way.parse(cell)
    except ValueError:
        return False
    return True


def _quote(name: str) -> str:
    return name if name.isalpha() else f"'{name}'" if name != "'" else '"\'"'
