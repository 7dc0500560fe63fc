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
    picture = BytesIO()
    kind = path.suffix.removeprefix(".") or "png"
    omit = {"png": "Software", "pdf": "CreationDate"}  # else the same figure gives another file
    figure.savefig(picture, format=kind, metadata={omit[kind]: None} if kind in omit else None)
    return write(picture.getvalue(), path)


def write(picture: bytes, path: Path) -> Path:
    """Write a file, make its folders, and return the path; a reader never finds half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return durable.replace(path, picture)
