"""Small HTML for notebooks: every text is escaped, nothing is a script, and colours suit light and dark pages."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from typing import NewType

from allmodes.text.printable import lines, printable

Html = NewType("Html", str)
"""Text that is HTML already; all other texts are escaped."""

LINE = "1px solid rgba(128,128,128,.35)"
COLOURS = ("#3d85c6", "#d98324", "#4a9d5b", "#c2578a", "#8a6fc9", "#2f9c9c", "#a9812d", "#7f7f7f")
"""Colours of curves, which can be read on white and on black."""
LONG = 40
"""Letters from which on a cell may have several lines."""
PNG = b"\x89PNG\r\n\x1a\n"


def escape(text: object) -> Html:
    """Escape a text of one line; characters that are invisible or turn its direction are spelled out."""
    return Html(html.escape(printable(str(text))))


def block(*parts: Html) -> Html:
    """Put parts below each other."""
    return Html(f'<div style="line-height:1.4">{"".join(parts)}</div>')


def beside(*parts: Html) -> Html:
    """Put parts beside each other, as many in a line as have room."""
    shown = "".join(f"<div>{part}</div>" for part in parts if part)
    return Html(f'<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start">{shown}</div>')


def heading(text: str, note: str = "") -> Html:
    """Write a heading, and a note beside it."""
    small = f' <span style="opacity:.7">{escape(note)}</span>' if note else ""
    return Html(f"<div><b>{escape(text)}</b>{small}</div>")


def line(text: str) -> Html:
    """Write a line of less weight; nothing for an empty one."""
    return Html(f'<div style="opacity:.75">{escape(text)}</div>' if text else "")


def code(text: str) -> Html:
    """Write a line of code to copy."""
    return Html(f"<div><code>{escape(text)}</code></div>")


def folded(title: str, text: str) -> Html:
    """Write a text of several lines that opens with a click on its title."""
    body = "\n".join(map(escape, lines(text)))
    return Html(f'<details><summary>{escape(title)}</summary><pre style="font-size:.9em">{body}</pre></details>')


def table(header: Sequence[str], rows: Iterable[Sequence[str | Html]], html_columns: Sequence[int] = ()) -> Html:
    """Format a table whose first column is aligned left and all others right; `html_columns` hold HTML already."""
    head = "".join(_cell("th", escape(name), i) for i, name in enumerate(header))
    body = "".join(f"<tr>{_row(cells, html_columns)}</tr>" for cells in rows)
    style = "border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.3em 0"
    inner = f'<table style="{style}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return Html(f'<div style="overflow-x:auto">{inner}</div>')


def facts(pairs: Mapping[str, str]) -> Html:
    """Format names and what they are, without those that are empty."""
    style = "padding:.1em .8em .1em 0;text-align:left;vertical-align:top"
    rows = (
        f'<tr><td style="{style};opacity:.7">{escape(name)}</td><td style="{style}">{escape(text)}</td></tr>'
        for name, text in pairs.items()
        if text
    )
    return Html(f'<table style="border-collapse:collapse;margin:.3em 0"><tbody>{"".join(rows)}</tbody></table>')


def picture(png: bytes, title: str, width: int = 260) -> Html:
    """Show a PNG, at most so many pixels wide; nothing where the bytes are none."""
    if not png.startswith(PNG):
        return Html("")
    source = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    return Html(f'<img src="{source}" alt="{escape(title)}" title="{escape(title)}" style="max-width:{width}px">')


def bar(share: float, width: int = 120) -> Html:
    """Draw a bar of which a share from 0 to 1 is filled."""
    filled = 100 * min(1.0, max(0.0, share))
    inner = f'<div style="width:{filled:.1f}%;height:100%;background:{COLOURS[0]}"></div>'
    return Html(f'<div style="width:{width}px;height:.7em;border:{LINE};display:inline-block">{inner}</div>')


def _row(cells: Sequence[str | Html], html_columns: Sequence[int]) -> str:
    shown = (Html(cell) if i in html_columns else escape(cell) for i, cell in enumerate(cells))
    return "".join(_cell("td", cell, i) for i, cell in enumerate(shown))


def _cell(tag: str, content: Html, column: int) -> str:
    align, wrap = "right" if column else "left", "nowrap" if len(content) < LONG else "normal"
    style = f"text-align:{align};white-space:{wrap};padding:.15em .7em;border-bottom:{LINE}"
    return f'<{tag} style="{style}">{content}</{tag}>'
