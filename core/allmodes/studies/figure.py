"""The figure of a comparison: a panel for each method with samples of its first finished seed."""

from __future__ import annotations

import warnings
from pathlib import Path

from allmodes.figures.draw import draw_panels
from allmodes.figures.titles import summarise
from allmodes.models.page import ModelError
from allmodes.models.trained import Model, load_run
from allmodes.specs.source import SpecError
from allmodes.studies.comparison import Comparison, Group
from allmodes.system.torch_settings import plain_torch


@plain_torch()
def draw_figure(comparison: Comparison) -> list[Path]:
    """Write `figure.png` and `figure.pdf`, numbered from the second group of data on; returns the files."""
    files: list[Path] = []
    for i, group in enumerate(comparison.groups):
        files += _draw(comparison, group, f"figure-{i + 1}" if i else "figure")
    return files


def _draw(comparison: Comparison, group: Group, stem: str) -> list[Path]:
    runs = {run.name: run.folder for run in comparison.study.runs}
    folders = {row.method: runs[f"{row.method}/seed-{next(iter(row.finished))}"] for row in group.rows if row.finished}
    if not folders:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the specs warned when the study was loaded
        loaded = {method: _load_model(method, folder) for method, folder in folders.items()}
    models = {method: model for method, model in loaded.items() if isinstance(model, Model)}
    for message in (one for one in loaded.values() if isinstance(one, str)):
        warnings.warn(message, stacklevel=2)
    if not models:
        return []
    model = next(iter(models.values()))
    data, n = model.spec.data.build(), model.spec.evaluation.samples
    panels = [(_title(comparison, group, method), one.draw(n)) for method, one in models.items()]
    return [draw_panels(panels, data, comparison.folder / f"{stem}.{ending}") for ending in ("png", "pdf")]


def _load_model(method: str, folder: Path) -> Model | str:
    """Load a method's model; returns a message if it is damaged, so that the others are drawn without it."""
    try:
        return load_run(folder)
    except (ModelError, SpecError) as error:
        return f"{method} is left out of the figure: {error}"


def _title(comparison: Comparison, group: Group, method: str) -> str:
    row = next(row for row in group.rows if row.method == method)
    results = next(iter(row.finished.values())).results
    return f"{comparison.label(method)}\n{summarise(results, group.numbers)}"
