"""Figures as files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.system import durable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save(figure: Figure, path: Path) -> Path:
    """Write a figure to a file of the kind that the path ends with, PNG by default."""
    return write(render(figure, path.suffix.removeprefix(".") or "png"), path)


def render(figure: Figure, kind: str) -> bytes:
    """Return a figure as a file of a kind: `png`, `pdf`, or `svg`, whose texts stay texts."""
    from matplotlib import rc_context

    picture = BytesIO()
    omit = {"png": "Software", "pdf": "CreationDate", "svg": "Date"}  # else the same figure gives another file
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "allmodes"}):
        figure.savefig(picture, format=kind, metadata={omit[kind]: None} if kind in omit else None)
    return picture.getvalue()


def write(picture: bytes, path: Path) -> Path:
    """Write a file, make its folders, and return the path; a reader never finds half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return durable.replace(path, picture)
