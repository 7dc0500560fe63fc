"""The specs at points of axes: the settings of a point put into a file, checked, and problems told once for all."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from allmodes.registry.registry import Registry
from allmodes.specs import loading
from allmodes.specs.axes import Point
from allmodes.specs.source import SpecError, SpecSource, shorten
from allmodes_schemas import Spec


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
            spec = loading.check(self._apply(point), self.registry)
        except SpecError as error:
            for line in str(error).splitlines():
                self.problems.setdefault(line, []).append(name)
            return None
        changes = {"name": name or spec.name} | ({"seeds": tuple(self.seeds)} if self.seeds else {})
        return spec.model_copy(update=changes)

    def _apply(self, point: Point) -> SpecSource:
        """The file with the settings of a point; where they have no place, what is wrong with the file comes first."""
        try:
            return apply(self.base, point)
        except SpecError:
            loading.check_again(self.base, self.registry)
            raise

    def report(self, number: int) -> None:
        """Raise SpecError if there were problems."""
        lines = [f"{line}{_describe(names, number)}" for line, names in self.problems.items()]
        if lines:
            raise SpecError("\n".join(shorten(lines)))


def _describe(names: Sequence[str], number: int) -> str:
    """Say which members have a problem, unless all of several have it."""
    if len(names) == number > 1:
        return " (in every member)"
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f" (in {names[0]}{more})"
