"""Whole numbers along the ranges of settings that take no others."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace
from itertools import starmap
from typing import Any

from allmodes.registry.registry import Registry
from allmodes.specs.axes import Axes, Axis, Point
from allmodes.specs.points import Checker, join
from allmodes.specs.source import SpecError, SpecSource
from allmodes_schemas import Config, Location, Spec


def settle(base: SpecSource, axes: Axes, registry: Registry) -> Axes:
    """The axes with whole numbers along ranges of settings that are whole."""
    if all(axis.range is None for axis in axes.axes):
        return axes
    with warnings.catch_warnings(action="ignore"):
        spec = Checker(base, registry, None).check("", join([axis.points[0] for axis in axes.axes]))
        is_whole = [
            _takes_whole(base, axis, registry) if spec is None else _is_whole(spec, axis.paths[0]) for axis in axes.axes
        ]
    return replace(axes, axes=tuple(starmap(_settle, zip(axes.axes, is_whole, strict=True))))


def _settle(axis: Axis, is_whole: bool) -> Axis:
    """An axis with whole numbers along a range, if its setting is whole."""
    if axis.range is None or not is_whole:
        return axis
    points = _rounded(axis)
    values = [one.value for (one,) in points]
    for first, second in itertools.pairwise(values):
        if first == second:
            raise SpecError(f"{points[0][0].place}: {axis.title}: the range gives {first} twice: take fewer steps")
    return replace(axis, points=tuple(points), is_whole=True)


def _rounded(axis: Axis) -> list[Point]:
    return [(replace(one, value=round(one.value)),) for (one,) in axis.points]


def _takes_whole(base: SpecSource, axis: Axis, registry: Registry) -> bool:
    """Whether a setting is whole in a file that has problems of its own: those of fractions are more."""
    broken = [i for i, (one, *_) in enumerate(axis.points) if axis.range is not None and one.value % 1]
    if not broken:
        return False
    fraction, whole = Checker(base, registry, None), Checker(base, registry, None)
    fraction.check("", axis.points[broken[0]])
    whole.check("", _rounded(axis)[broken[0]])
    return len(whole.problems) < len(fraction.problems)


def _is_whole(spec: Spec, path: Location) -> bool:
    node: Any = spec
    for key in path:
        try:
            node = getattr(node, key) if isinstance(node, Config) and isinstance(key, str) else node[key]
        except (AttributeError, LookupError, TypeError):
            return False
    return isinstance(node, int) and not isinstance(node, bool)
