"""Small curves as SVG, drawn in a fraction of a millisecond: for displays that are drawn again all the time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from allmodes.text.html import COLOURS, Html, escape
from allmodes.text.numbers import number

WIDTH, HEIGHT = 240, 90
"""Pixels of the field in which curves are drawn."""
SIDE = 150
"""Pixels of the side of a scatter."""
NAMED = len(COLOURS)
"""Curves that the legend names: more have no colours of their own."""
MOST = 300
"""Points of a curve that are kept: of longer ones every other point is dropped."""

Points: TypeAlias = Sequence[tuple[float, float]]


def thin(points: list[tuple[float, float]]) -> None:
    """Drop every other point of a curve that has grown long; the last stays."""
    if len(points) > MOST:
        del points[-2::-2]


def draw(title: str, curves: Mapping[str, Points]) -> Html:
    """Draw curves (x, y) by name with the last value of each; nothing without two points.

    What is not finite is left out.
    """
    shown = {name: found for name, points in curves.items() if len(found := list(filter(_is_finite, points))) > 1}
    if not shown:
        return Html("")
    (left, right), (low, high) = _range(shown, 0), _range(shown, 1)

    def place(point: tuple[float, float]) -> str:
        x, y = (point[0] - left) / (right - left or 1), (point[1] - low) / (high - low or 1)
        return f"{WIDTH * x:.1f},{HEIGHT * (1 - y):.1f}"

    lines = "".join(
        f'<polyline points="{" ".join(map(place, points))}" fill="none" stroke="{_colour(i)}" stroke-width="1.5"/>'
        for i, points in enumerate(shown.values())
    )
    field = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="rgba(128,128,128,.35)"/>'
    view = f'width="{WIDTH}" height="{HEIGHT}" viewBox="-1 -1 {WIDTH + 2} {HEIGHT + 2}"'
    svg = f'<svg {view} role="img" aria-label="{escape(title)}">{field}{lines}</svg>'
    between = f'<span style="opacity:.7">{escape(f"{number(low)} to {number(high)}")}</span>'
    return Html(f"<div>{escape(title)} {between}</div>{svg}{_legend(shown)}")


def scatter(title: str, points: Points) -> Html:
    """Draw points in a plane, with equal units on both axes; those that are not finite are left out."""
    shown = [point for point in points if all(map(math.isfinite, point))]
    if not shown:
        return Html("")
    (left, right), (low, high) = _range({"": shown}, 0), _range({"": shown}, 1)
    side = max(right - left, high - low) or 1.0
    dots = "".join(
        f'<circle cx="{SIDE * (x - left) / side:.1f}" cy="{SIDE * (high - y) / side:.1f}" r="1.5"/>' for x, y in shown
    )
    view = f'width="{SIDE}" height="{SIDE}" viewBox="-3 -3 {SIDE + 6} {SIDE + 6}"'
    svg = f'<svg {view} role="img" aria-label="{escape(title)}"><g fill="{COLOURS[0]}">{dots}</g></svg>'
    return Html(f'<div style="opacity:.75">{escape(title)}</div>{svg}')


def _legend(curves: Mapping[str, Points]) -> str:
    each = (
        f'<span style="color:{_colour(i)}">&#9644;</span> {escape(name)} {escape(number(points[-1][1]))}'
        for i, (name, points) in enumerate(list(curves.items())[:NAMED])
    )
    more = f" and {len(curves) - NAMED} more" if len(curves) > NAMED else ""
    return f'<div style="font-size:.85em;max-width:{WIDTH}px">{" &nbsp;".join(each)}{more}</div>'


def _colour(i: int) -> str:
    return COLOURS[i % len(COLOURS)]


def _range(curves: Mapping[str, Points], axis: int) -> tuple[float, float]:
    values = [point[axis] for points in curves.values() for point in points]
    return min(values), max(values)


def _is_finite(point: tuple[float, float]) -> bool:
    return math.isfinite(point[1])
