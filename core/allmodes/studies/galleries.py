"""Samples of each method of a group, drawn from its first finished seed, for figures and the report."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from allmodes.figures.images import GRID
from allmodes.figures.titles import summarise
from allmodes.models.page import ModelError
from allmodes.models.reading import load_run
from allmodes.models.trained import Model
from allmodes.registry.registry import Registry
from allmodes.specs.source import SpecError
from allmodes.studies.comparison import Comparison, Group
from allmodes.system.torch_settings import plain_torch

if TYPE_CHECKING:
    from allmodes.data.base import Data


@dataclass(frozen=True)
class Gallery:
    """Samples (N, *data.shape) by method, with a line of numbers for each, and the data that they are seen beside."""

    data: Data
    samples: Mapping[str, Tensor]
    numbers: Mapping[str, str]


@plain_torch()
def make_galleries(comparison: Comparison) -> list[Gallery | None]:
    """Draw samples of each method of each group; None for a group of which no seed has finished.

    A model that cannot be read costs a warning.
    """
    return [_make_gallery(comparison, group) for group in comparison.groups]


def _make_gallery(comparison: Comparison, group: Group) -> Gallery | None:
    models = _load_models(comparison, group)
    if not models:
        return None
    spec = next(iter(models.values())).spec
    data = spec.data.build()
    n = GRID * GRID if len(data.shape) == 3 else spec.evaluation.samples
    samples = {method: model.draw(n) for method, model in models.items()}
    return Gallery(data, samples, {method: _describe(group, method) for method in models})


def _load_models(comparison: Comparison, group: Group) -> dict[str, Model]:
    runs = {run.name: run.folder for run in comparison.study.runs}
    folders = {row.method: runs[f"{row.method}/seed-{next(iter(row.finished))}"] for row in group.rows if row.finished}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the specs warned when the study was loaded
        loaded = {method: _load_model(method, folder, comparison.registry) for method, folder in folders.items()}
    for message in (one for one in loaded.values() if isinstance(one, str)):
        warnings.warn(message, stacklevel=2)
    return {method: model for method, model in loaded.items() if isinstance(model, Model)}


def _load_model(method: str, folder: Path, registry: Registry | None) -> Model | str:
    """Load a method's model; returns a message if it is damaged, so that the others are drawn without it."""
    try:
        return load_run(folder, registry)
    except (ModelError, SpecError) as error:
        return f"{method} is left out of the figure: {error}"


def _describe(group: Group, method: str) -> str:
    row = next(row for row in group.rows if row.method == method)
    return summarise(next(iter(row.finished.values())).results, group.numbers)
