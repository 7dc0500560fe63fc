"""The members of a sweep: every combination of what varies, each a checked spec with a name of its own."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from allmodes.registry.registry import Registry
from allmodes.specs.axes import Axes, Axis
from allmodes.specs.axis_reader import read_axes
from allmodes.specs.member_names import labels, shorten, tokens
from allmodes.specs.points import Checker, join, to_settings
from allmodes.specs.source import SpecError, SpecSource
from allmodes.specs.whole_numbers import settle
from allmodes_schemas import Location, Spec

MOST = 1000
"""Members that one sweep may have: more are most likely a slip."""
KEYS = ("vary", "search")
"""Keys of a file that make several specs of it."""


@dataclass(frozen=True)
class Member:
    """One of the specs that a sweep stands for.

    Attributes:
        name: What differs, such as `lr=0.001,weight=2`.
        settings: The values of what varies, by the dotted paths.
        spec: The checked spec, which has the member's name.
    """

    name: str
    settings: Mapping[str, Any]
    spec: Spec


def is_sweep_file(source: SpecSource) -> bool:
    """Whether a file stands for several specs."""
    return any(key in source.tree for key in KEYS)


def axes_of(source: SpecSource) -> Axes:
    """What varies in a file; raises SpecError."""
    return read_axes(source) if "vary" in source.tree else Axes()


def base_of(source: SpecSource) -> SpecSource:
    """A copy of a file without what makes several specs of it."""
    tree = copy.deepcopy(source.tree)
    for key in KEYS:
        tree.pop(key, None)
    return SpecSource(tree, source.name, dict(source.overridden))


def members(source: SpecSource, axes: Axes, registry: Registry) -> list[Member]:
    """The members of the grid of some axes over the spec of a file, all checked.

    Raises SpecError with a line for each problem, which names the members that have it.
    """
    base = base_of(source)
    check_free(base, axes.axes)
    _check_grid(base, axes.axes)
    settled = settle(base, axes, registry)
    points = [join(points) for points in itertools.product(*(axis.points for axis in settled.axes))]
    names = name_points(settled.axes)
    checked = Checker(base, registry, settled.seeds)
    specs = [checked.check(name, point) for name, point in zip(names, points, strict=True)]
    checked.report(len(points))
    return [
        Member(spec.name, to_settings(point), spec)
        for name, point, spec in zip(names, points, specs, strict=True)
        if spec is not None
    ]


def name_points(axes: Sequence[Axis]) -> list[str]:
    """A name for each point of the grid of some axes, unlike the others in more than case."""
    words = labels([path for axis in axes for path in axis.paths])
    along = [name_along(axis, words) for axis in axes]
    return [shorten(",".join(parts)) for parts in itertools.product(*along)]


def check_free(base: SpecSource, axes: Sequence[Axis]) -> None:
    """Check that `--set` sets nothing that varies; raises SpecError."""
    for axis in axes:
        for path in axis.paths:
            if set_already := [where for where in base.overridden if where[: len(path)] == path]:
                dotted = ".".join(map(str, set_already[0]))
                raise SpecError(f"--set {dotted}: {axis.title} varies: leave one of the two out")


def _check_grid(base: SpecSource, axes: Sequence[Axis]) -> None:
    """Check that axes have points, and not too many members in all."""
    for axis in axes:
        if axis.is_open:
            place, title = axis.points[0][0].place, axis.title
            raise SpecError(f"{place}: {title}: a range without steps is for a search: set steps to a number of values")
    if (number := prod(len(axis.points) for axis in axes)) > MOST:
        each = " x ".join(str(len(axis.points)) for axis in axes)
        what = f"{each} = {number:,} members, and a sweep has at most {MOST:,}"
        raise SpecError(f"{base.name}: vary: {what}: take fewer values, or search: {{trials: 100, by: METRIC}}")


def name_along(axis: Axis, words: Mapping[Location, str]) -> list[str]:
    """A part of a name for each point of an axis."""
    columns = [_words_of([point[i].value for point in axis.points]) for i in range(len(axis.paths))]
    return [
        ",".join(f"{words[path]}={word}" for path, word in zip(axis.paths, row, strict=True))
        for row in zip(*columns, strict=True)
    ]


def _words_of(values: Sequence[Any]) -> list[str]:
    """A word for each value; settings that belong together may have the same value several times."""
    distinct = list({repr(value): value for value in values}.values())
    words = dict(zip(map(repr, distinct), tokens(distinct), strict=True))
    return [words[repr(value)] for value in values]


__all__ = [
    "MOST",
    "Member",
    "axes_of",
    "base_of",
    "check_free",
    "is_sweep_file",
    "members",
    "name_along",
    "name_points",
]
