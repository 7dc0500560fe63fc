"""The members of a sweep: every combination of what varies, each a checked spec with a name of its own."""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from allmodes.registry.registry import Registry
from allmodes.specs import loading
from allmodes.specs.axes import Axes, Axis, Point, read_axes
from allmodes.specs.member_names import labels, shorten, tokens
from allmodes.specs.source import SpecError, SpecSource
from allmodes.specs.source import shorten as shorten_messages
from allmodes_schemas import Config, Location, Spec

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


def settle(base: SpecSource, axes: Axes, registry: Registry) -> Axes:
    """The axes with whole numbers along ranges of settings that are whole."""
    ranges = [axis for axis in axes.axes if axis.range is not None]
    with warnings.catch_warnings(action="ignore"):
        first = join([axis.points[0] for axis in axes.axes])
        spec = Checker(base, registry, None).check("", first) if ranges else None
    return replace(axes, axes=tuple(_settle(axis, spec) for axis in axes.axes))


def name_points(axes: Sequence[Axis]) -> list[str]:
    """A name for each point of the grid of some axes, unlike the others in more than case."""
    words = labels([path for axis in axes for path in axis.paths])
    along = [name_along(axis, words) for axis in axes]
    return [shorten(",".join(parts)) for parts in itertools.product(*along)]


def apply(base: SpecSource, point: Point) -> SpecSource:
    """A copy of a file with the settings of a point, those of whole blocks first.

    Raises SpecError where there is no such setting.
    """
    source = SpecSource(copy.deepcopy(base.tree), base.name, dict(base.overridden))
    for setting in sorted(point, key=lambda one: len(one.path)):
        try:
            source.put(setting.path, copy.deepcopy(setting.value), setting.place)
        except (LookupError, TypeError, ValueError):
            dotted = ".".join(map(str, setting.path))
            raise SpecError(f"{setting.place}: there is no {dotted} to vary") from None
    return source


def join(points: Iterable[Point]) -> Point:
    """The settings of several points in one."""
    return tuple(itertools.chain.from_iterable(points))


def to_settings(point: Point) -> dict[str, Any]:
    """The values of a point by the dotted paths of the settings."""
    return {".".join(map(str, one.path)): one.value for one in point}


@dataclass
class Checker:
    """Checks members, and collects each problem once with the members that have it."""

    base: SpecSource
    registry: Registry
    seeds: Sequence[int] | None
    problems: dict[str, list[str]] = field(default_factory=dict)

    def check(self, name: str, point: Point) -> Spec | None:
        """The spec with the settings of a point, or None where it is invalid."""
        try:
            spec = loading.check(apply(self.base, point), self.registry)
        except SpecError as error:
            for line in str(error).splitlines():
                self.problems.setdefault(line, []).append(name)
            return None
        changes = {"name": name or spec.name} | ({"seeds": tuple(self.seeds)} if self.seeds else {})
        return spec.model_copy(update=changes)

    def report(self, number: int) -> None:
        """Raise SpecError if there were problems."""
        lines = [f"{line}{_describe(names, number)}" for line, names in self.problems.items()]
        if lines:
            raise SpecError("\n".join(shorten_messages(lines)))


def _describe(names: Sequence[str], number: int) -> str:
    """Say which members have a problem, unless all of several have it."""
    if len(names) == number > 1:
        return " (in every member)"
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f" (in {names[0]}{more})"


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


def _settle(axis: Axis, spec: Spec | None) -> Axis:
    """An axis with whole numbers, if its setting is whole in the spec of its first value."""
    if axis.range is None or spec is None or not _is_whole(spec, axis.paths[0]):
        return axis
    points = [(replace(one, value=round(one.value)),) for (one,) in axis.points]
    values = [one.value for (one,) in points]
    for first, second in itertools.pairwise(values):
        if first == second:
            raise SpecError(f"{points[0][0].place}: {axis.title}: the range gives {first} twice: take fewer steps")
    return replace(axis, points=tuple(points), is_whole=True)


def _is_whole(spec: Spec, path: Location) -> bool:
    node: Any = spec
    for key in path:
        try:
            node = getattr(node, key) if isinstance(node, Config) and isinstance(key, str) else node[key]
        except (AttributeError, LookupError, TypeError):
            return False
    return isinstance(node, int) and not isinstance(node, bool)


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
    "Checker",
    "Member",
    "apply",
    "axes_of",
    "base_of",
    "check_free",
    "is_sweep_file",
    "join",
    "members",
    "name_along",
    "name_points",
    "settle",
    "to_settings",
]
