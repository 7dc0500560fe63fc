"""Warnings about valid specs that will train or measure badly on the data that were loaded."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from allmodes.builtin.config.known_modes import KnownModesConfig
from allmodes.data.base import Data
from allmodes.specs.hints import check_bounds, check_image_metrics, check_scale
from allmodes_schemas import Problem, Spec

SAMPLED = 1000
"""Rows that are checked."""


def find_hints(spec: Spec, data: Data) -> list[str]:
    """Find problems that the spec alone does not show, each with its place in the spec."""
    found = [] if spec.data.shape() is not None else list(check_image_metrics(spec, data.shape))
    if len(data.shape) == 1 and not isinstance(spec.data, KnownModesConfig):
        found += _check_rows(spec, data)
    return [f"{'.'.join(map(str, problem.where))}: {problem.what}" for problem in found]


def _check_rows(spec: Spec, data: Data) -> Iterator[Problem]:
    """Check the scale and bounds of some rows."""
    x = data.draw(SAMPLED, torch.Generator(data.device).manual_seed(0)).x.double().cpu()
    table = hasattr(spec.data, "standardise")
    remedy = "set standardise: true" if table else "standardise it: subtract its mean, divide by its standard deviation"
    names = data.units.columns if data.units else ()
    yield from check_scale(x.mean(0).tolist(), x.std(0, correction=0).tolist(), remedy, names)
    yield from check_bounds(spec, x.quantile(0.01, 0).tolist(), x.quantile(0.99, 0).tolist())
