"""Figures as files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.system import durable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save(figure: Figure, path: Path) -> Path:
    """Write a figure, make its folders, and return the path; a reader never finds half a file."""
    picture = BytesIO()
    kind = path.suffix.removeprefix(".") or "png"
    omit = {"png": "Software", "pdf": "CreationDate"}  # else the same figure gives another file
    figure.savefig(picture, format=kind, metadata={omit[kind]: None} if kind in omit else None)
    path.parent.mkdir(parents=True, exist_ok=True)
    return durable.replace(path, picture.getvalue())
