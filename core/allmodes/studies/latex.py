"""Tables of a comparison in LaTeX, with booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from allmodes.studies.sheets import Cell, Line, Sheet
from allmodes.text.printable import printable

ESCAPES = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}"},
    **{"|": r"\textbar{}", '"': r"\textquotedbl{}", "[": "{[}", "]": "{]}"},  # a [ after \\ would be its argument
    **{"±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$"},
}
MARKS = {"best": r"\textbf{%s}", "tied": r"\underline{%s}"}
EMPHASIS = re.compile(r"\*\*(.+?)\*\*")
POWER = re.compile(r"e([+-])0*(\d+)")


def tabular(sheet: Sheet) -> str:
    """Format a table as a tabular, with what the marks mean and cautions in small print below, as wide as it is."""
    aligned = f"l{'r' * (len(sheet.header) - 1)}"
    above = [*map(_line, sheet.above), r"\midrule"] if sheet.above else []
    table = [
        rf"\begin{{tabular}}{{{aligned}}}",
        r"\toprule",
        _join(map(escape, sheet.header)),
        r"\midrule",
        *above,
        *map(_line, sheet.methods),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    below = _annotate(table, sheet.notes) if sheet.notes else table
    return "".join(f"{line}\n" for line in (f"% {printable(sheet.title)}", *below))


def _annotate(table: Sequence[str], notes: Sequence[str]) -> Iterator[str]:
    """Put notes below a table, within its width; it is one box still, which may be scaled and centred."""
    yield r"\begingroup\sbox0{%"
    yield from table[:-1]
    yield rf"{table[-1]}}}%"
    yield r"\begin{minipage}{\wd0}\usebox0\par\smallskip\footnotesize\raggedright"
    yield from (rf"{EMPHASIS.sub(_embolden, escape(note))}\par" for note in notes)
    yield r"\end{minipage}\endgroup"


def _embolden(found: re.Match[str]) -> str:
    return MARKS["best"] % found[1]


def escape(text: str) -> str:
    """Escape what LaTeX would read as a command."""
    return "".join(ESCAPES.get(sign, sign) for sign in printable(text))


def _line(line: Line) -> str:
    return _join([escape(line.title), escape(line.seeds), *map(_cell, line.cells)])


def _cell(cell: Cell) -> str:
    number = POWER.sub(lambda found: rf"$\times10^{{{found[1].replace('+', '')}{found[2]}}}$", escape(cell.text))
    return MARKS[cell.mark] % number if cell.mark else number


def _join(cells: Iterable[str] | Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"
