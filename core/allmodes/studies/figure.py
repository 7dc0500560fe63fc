"""The figure of a comparison: a panel for each method with samples of its first finished seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from allmodes.figures.draw import draw_panels
from allmodes.studies.comparison import Comparison
from allmodes.studies.galleries import Gallery


def draw_figure(comparison: Comparison, galleries: Sequence[Gallery | None]) -> list[Path]:
    """Write `figure.png` and `figure.pdf`, numbered from the second group of data on; returns the files."""
    files: list[Path] = []
    for i, gallery in enumerate(galleries):
        if gallery is not None:
            stem = f"figure-{i + 1}" if i else "figure"
            files += [_draw(comparison, gallery, f"{stem}.{ending}") for ending in ("png", "pdf")]
    return files


def _draw(comparison: Comparison, gallery: Gallery, name: str) -> Path:
    titles = {method: f"{comparison.label(method)}\n{numbers}" for method, numbers in gallery.numbers.items()}
    panels = [(titles[method], samples) for method, samples in gallery.samples.items()]
    return draw_panels(panels, gallery.data, comparison.folder / name)
