"""The plan of a search: the block `search` of a file, the space that it searches, and the spec of each trial."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from allmodes.registry.registry import Registry
from allmodes.registry.slots import CORE
from allmodes.specs import loading, messages
from allmodes.specs.axes import Axes, Axis, Point, Setting
from allmodes.specs.axis_reader import read_axes
from allmodes.specs.member_names import labels
from allmodes.specs.members import Member, axes_of, base_of, check_free, name_along
from allmodes.specs.points import Checker, apply, join, to_settings
from allmodes.specs.renames import renewed_number
from allmodes.specs.source import SpecError, SpecSource
from allmodes.specs.union import plain
from allmodes.specs.whole_numbers import settle
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import Key, SearchConfig, Spec, Sweep

RECENT = "recent_"
"""What the name of a number begins with that is averaged over the end of a run."""


@dataclass(frozen=True)
class SearchPlan:
    """A search that can begin: its settings, its space, the better direction, and the spec at the space's start."""

    source: SpecSource
    config: SearchConfig
    axes: Sequence[Axis]
    better: Literal["lower", "higher"]
    start: Spec
    registry: Registry
    _members: dict[str, Member | SpecError] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name of the spec."""
        return self.start.name

    @property
    def words(self) -> list[list[str]]:
        """For each axis a word for each of its points."""
        known = labels([path for axis in self.axes for path in axis.paths])
        return [name_along(axis, known) for axis in self.axes]

    def member(self, number: int, values: Mapping[str, Any]) -> Member:
        """The spec of a trial, from a value for each axis by its title: a number of a range, or the word of a point.

        Raises SpecError where the values fit no spec.
        """
        key = f"{number}: {sorted(values.items())}"
        if key not in self._members:
            try:
                self._members[key] = self._make_member(number, values)
            except SpecError as error:
                self._members[key] = error
        if isinstance(found := self._members[key], SpecError):
            raise found
        return found

    def _make_member(self, number: int, values: Mapping[str, Any]) -> Member:
        point = join(
            self._point(axis, words, values[axis.title]) for axis, words in zip(self.axes, self.words, strict=True)
        )
        spec = loading.check_again(apply(base_of(self.source), point), self.registry)
        name = f"trial-{number:03d}"
        return Member(name, to_settings(point), spec.model_copy(update={"name": name, "seeds": self.start.seeds}))

    def describe(self) -> list[str]:
        """A line for each axis: its settings, and the numbers or words that it takes."""
        return [f"{axis.title}: {_describe(axis, words)}" for axis, words in zip(self.axes, self.words, strict=True)]

    def _point(self, axis: Axis, words: Sequence[str], value: Any) -> Point:
        if axis.is_open:
            return (Setting(axis.paths[0], value, axis.points[0][0].place),)
        return axis.points[words.index(value)]


def read_plan(source: SpecSource, vary: Axes, registry: Registry, seeds: Sequence[int] | None = None) -> SearchPlan:
    """Read and check the search of a file, with what varies besides.

    Raises SpecError with a line for each problem: invalid settings, a space whose ends fit no spec, or a number that is
    not measured.
    """
    config, base = _read_config(source), base_of(source)
    axes = _read_space(source, config, vary)
    check_free(base, axes.axes)
    axes = settle(base, axes, registry)
    start = _check_ends(base, axes, registry)
    chosen = seeds or axes.seeds
    start = start.model_copy(update={"seeds": tuple(chosen)}) if chosen else start
    return SearchPlan(source, config, axes.axes, _direction(source, config, start), start, registry)


def _read_config(source: SpecSource) -> SearchConfig:
    try:
        found = Sweep.model_validate({"search": plain(source.tree["search"])}).search
    except ValidationError as error:
        raise SpecError("\n".join(messages.describe_errors(error.errors(), source, Sweep))) from None
    if found is None:
        raise SpecError(source.message(("search",), "is empty: write {trials: 40, by: METRIC}"))
    if renamed := renewed_number(found.by):
        warnings.warn(source.message(("search", "by"), renamed.message(CORE)), stacklevel=2)
        return found.model_copy(update={"by": renamed.new})
    return found


def _read_space(source: SpecSource, config: SearchConfig, vary: Axes) -> Axes:
    varied = axes_of(source).with_others(vary)
    if config.space and varied.axes:
        raise SpecError(source.message(("search", "space"), "vary says what is searched, too: keep one of the two"))
    axes = read_axes(source, ("search", "space")).with_others(Axes((), varied.seeds)) if config.space else varied
    if not axes.axes:
        example = "training.optimizer.lr: {from: 1e-4, to: 1e-2, scale: log}"
        raise SpecError(source.message(("search",), f"nothing varies: add vary: {{{example}}}"))
    return axes


def _check_ends(base: SpecSource, axes: Axes, registry: Registry) -> Spec:
    """Check the spec at the start of the space, and with every other point of each axis; returns the first."""
    checker, first = Checker(base, registry, None), [axis.points[0] for axis in axes.axes]
    start, checked = checker.check("the first values", join(first)), 1
    known = labels([path for axis in axes.axes for path in axis.paths])
    for place, axis in enumerate(axes.axes):
        for name, point in list(zip(name_along(axis, known), axis.points, strict=True))[1:]:
            checker.check(name, join([*first[:place], point, *first[place + 1 :]]))
            checked += 1
    checker.problems = {
        line: [name or "the first values" for name in names] for line, names in checker.problems.items()
    }
    checker.report(checked)
    assert start is not None
    return start.model_copy(update={"name": str(base.tree["name"])})


def _describe(axis: Axis, words: Sequence[str]) -> str:
    if axis.range is None or not axis.is_open:
        return ", ".join(word.partition("=")[2] if len(axis.paths) == 1 else word for word in words)
    scale, whole = ", log" if axis.range.scale == "log" else "", ", whole numbers" if axis.is_whole else ""
    return f"{axis.range.start:g} to {axis.range.to:g}{scale}{whole}"


def _direction(source: SpecSource, config: SearchConfig, spec: Spec) -> Literal["lower", "higher"]:
    """Which direction of the number is better; raises SpecError where it is not measured or nobody knows."""
    numbers = spec.evaluation.numbers()
    key = config.by.removeprefix(RECENT)
    if key not in numbers:
        known = ", ".join(numbers) or "none"
        what = f"no metric of the spec gives {config.by}{did_you_mean(key, numbers)}: they give {known}"
        raise SpecError(source.message(("search", "by"), what))
    better = config.better or numbers.get(key, Key()).better
    if better is None:
        raise SpecError(
            source.message(("search", "by"), f"{config.by} has no good direction: add better: lower or higher")
        )
    return better


__all__ = ["SearchPlan", "read_plan"]
