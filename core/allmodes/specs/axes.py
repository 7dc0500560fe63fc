"""What varies: settings along axes, each with its points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from allmodes.specs.union import plain
from allmodes_schemas import Location, Range


@dataclass(frozen=True)
class Setting:
    """A value of a setting, and where it is written."""

    path: Location
    value: Any
    place: str


Point: TypeAlias = tuple[Setting, ...]
"""The settings that are made together."""


@dataclass(frozen=True)
class Axis:
    """One dimension of what varies: the settings along it, and its points.

    An axis that holds a `range` without steps has two points, its ends. `is_whole`: the setting takes whole numbers.
    """

    paths: tuple[Location, ...]
    points: tuple[Point, ...]
    range: Range | None = None
    is_whole: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it takes any number between its ends, which only a search can try."""
        return self.range is not None and self.range.steps is None

    @property
    def title(self) -> str:
        """The dotted paths of its settings."""
        return ", ".join(".".join(map(str, path)) for path in self.paths)


@dataclass(frozen=True)
class Axes:
    """What varies, and the seeds of each member if they are named among it."""

    axes: tuple[Axis, ...] = ()
    seeds: tuple[int, ...] | None = None

    def with_others(self, others: Axes) -> Axes:
        """These with others, which take the place of those of the same settings, so that names keep their order."""
        axes = {axis.paths: axis for axis in (*self.axes, *others.axes)}
        return Axes(tuple(axes.values()), self.seeds if others.seeds is None else others.seeds)


def bare(value: Any) -> Any:
    """A value without the types of the YAML parser, which remember how it was written."""
    if isinstance(value, dict):
        return {bare(key): bare(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [bare(inner) for inner in value]
    kind = next((kind for kind in (int, float, str) if isinstance(value, kind) and not isinstance(value, bool)), None)
    return kind(value) if kind else plain(value)


__all__ = ["Axes", "Axis", "Point", "Setting", "bare"]
