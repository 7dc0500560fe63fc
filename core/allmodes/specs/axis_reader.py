"""Reading what varies: from the block `vary` of a file, from `--vary` and from Python to axes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from reprlib import repr as short
from typing import Any

from pydantic import ValidationError

from allmodes.specs import safe_yaml
from allmodes.specs.axes import Axes, Axis, Point, Setting, bare
from allmodes.specs.safe_yaml import UnreadableError
from allmodes.specs.seeds import MOST, check_seeds, parse_seeds
from allmodes.specs.source import SpecError, SpecSource, to_path
from allmodes.specs.union import plain
from allmodes.text.printable import printable
from allmodes_schemas import Location, Range

ZIP, SEEDS = "zip", "seeds"
FIXED = ("name", "vary", "search", "executor")
"""Keys of a file that cannot vary."""
WHY_FIXED = {"name": "members are named by what varies", "executor": "all members are trained in one place"}
EXAMPLE = "a list of values such as [1, 2], or a range such as {from: 1e-4, to: 1e-2, steps: 5, scale: log}"


def read_axes(source: SpecSource, block: Location = ("vary",)) -> Axes:
    """Read what varies from a block of a file.

    Raises SpecError with a line for each problem, with its place.
    """
    tree = source.tree
    for key in block:
        tree = tree[key]
    if not isinstance(tree, Mapping):
        raise SpecError(
            source.message(block, f"should be a mapping of dotted paths to values, got {short(plain(tree))}")
        )
    reader = _Reader(source)
    axes = tuple(reader.axes(tree, block))
    if reader.problems:
        raise SpecError("\n".join(reader.problems))
    return Axes(axes, reader.seeds)


def parse_axes(texts: Iterable[str]) -> Axes:
    """Read what varies from the command line, as `training.optimizer.lr=1e-4,1e-3`.

    Raises SpecError.
    """
    found = Axes()
    for text in texts:
        dotted, equals, values = text.partition("=")
        if not equals or not dotted or not values.strip():
            raise SpecError(printable(f"--vary {text}: write it as key.subkey=value,value"))
        try:
            tree = {"vary": {dotted: values if dotted == SEEDS else _unwrap(safe_yaml.load(f"[{values}]"))}}
        except UnreadableError as error:
            raise SpecError(printable(f"--vary {text}: {error}")) from None
        found = found.with_others(read_axes(SpecSource(tree, "--vary")))
    return found


def to_axes(vary: Mapping[str, Any]) -> Axes:
    """Read what varies from Python, as in a file; raises SpecError."""
    return read_axes(SpecSource({"vary": plain(vary)}, "vary"))


def _unwrap(values: list[Any]) -> Any:
    """A list or a range that was written as one; several values with commas between them are a list, too."""
    return values[0] if len(values) == 1 and isinstance(values[0], list | Mapping) else values


class _Reader:
    """Reads the entries of a block, and collects problems."""

    def __init__(self, source: SpecSource) -> None:
        self.source = source
        self.problems: list[str] = []
        self.seeds: tuple[int, ...] | None = None

    def axes(self, tree: Mapping[str, Any], block: Location) -> Iterator[Axis]:
        """The axes of a block; those below `zip` first, and each setting on one of them."""
        taken: set[str] = set()
        for key, values in tree.items():
            where = (*block, key)
            if key == SEEDS:
                self._read_seeds(values, where)
            elif key == ZIP:
                yield from self._zips(values, where, taken)
            elif self._is_free(key, where, taken) and (axis := self._axis(key, values, where)):
                yield axis

    def _is_free(self, key: Any, where: Location, taken: set[str]) -> bool:
        if not isinstance(key, str) or key.split(".")[0] in FIXED or not all(key.split(".")):
            self._complain(where, WHY_FIXED.get(str(key).split(".")[0], "is no dotted path of a setting"))
        elif key in taken:
            self._complain(where, f"{key} varies twice")
        else:
            taken.add(key)
            return True
        return False

    def _axis(self, key: str, values: Any, where: Location, is_alone: bool = True) -> Axis | None:
        is_range = isinstance(values, Mapping)
        found = self._range(values, where) if is_range else None
        numbers: Sequence[Any] = found.numbers() if found else [] if is_range else self._values(values, where, is_alone)
        if not numbers:
            return None
        path, listed = to_path(key), isinstance(values, list)
        places = [self.source.place((*where, i) if listed else where) for i in range(len(numbers))]
        points = [(Setting(path, bare(v), place),) for v, place in zip(numbers, places, strict=True)]
        return Axis((path,), tuple(points), found)

    def _values(self, values: Any, where: Location, is_alone: bool) -> list[Any]:
        """The values of a list, each once if it `is_alone` along its axis."""
        if not isinstance(values, list | tuple) or not values:
            self._complain(where, f"should be {EXAMPLE}, got {short(plain(values))}")
            return []
        seen = [repr(bare(value)) for value in values]
        twice = next((i for i, key in enumerate(seen) if key in seen[:i]), None)
        if twice is not None and is_alone:
            self._complain((*where, twice), f"{short(plain(values[twice]))} is listed twice")
            return []
        return list(values)

    def _range(self, values: Mapping[str, Any], where: Location) -> Range | None:
        try:
            return Range.model_validate(plain(values))
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] == "value_error":
                self._complain(where, str(first["ctx"]["error"]))
            elif "from" in values and "to" in values:
                self._complain((*where, *first["loc"][:1]), f"should be {EXAMPLE}: {first['msg'].lower()}")
            else:
                self._complain(where, f"should be {EXAMPLE}; nested keys are one path with dots")
            return None

    def _zips(self, values: Any, where: Location, taken: set[str]) -> Iterator[Axis]:
        blocks = [((*where, i), one) for i, one in enumerate(values)] if isinstance(values, list) else [(where, values)]
        for place, block in blocks:
            if not isinstance(block, Mapping) or not block:
                self._complain(place, "should be a mapping of dotted paths to lists of equal length")
                continue
            free = {key: one for key, one in block.items() if self._is_free(key, (*place, key), taken)}
            axes = [axis for key, one in free.items() if (axis := self._axis(key, one, (*place, key), False))]
            if len(axes) == len(block) and (zipped := self._zip(axes, place)):
                yield zipped

    def _zip(self, axes: Sequence[Axis], where: Location) -> Axis | None:
        lengths = {axis.title: len(axis.points) for axis in axes}
        if opened := [axis for axis in axes if axis.is_open]:
            self._complain(where, f"{opened[0].title} is a range without steps: say how many")
        elif len(set(lengths.values())) > 1:
            each = ", ".join(f"{title} has {n}" for title, n in lengths.items())
            self._complain(where, f"settings that belong together have as many values each, but {each}")
        else:
            rows = zip(*(axis.points for axis in axes), strict=True)
            points: list[Point] = [tuple(chain.from_iterable(row)) for row in rows]
            return self._distinct(Axis(tuple(path for axis in axes for path in axis.paths), tuple(points)), where)
        return None

    def _distinct(self, axis: Axis, where: Location) -> Axis | None:
        rows = [repr([one.value for one in point]) for point in axis.points]
        if twice := [row for i, row in enumerate(rows) if row in rows[:i]]:
            self._complain(where, f"{short(twice[0])} is there twice")
        return None if twice else axis

    def _read_seeds(self, values: Any, where: Location) -> None:
        try:
            if isinstance(values, Mapping):
                values = self._range_of_seeds(Range.model_validate(plain(values)), where)
                if values is None:
                    return
            self.seeds = parse_seeds(str(values)) if isinstance(values, str | int) else check_seeds(plain(values))
        except (SpecError, ValidationError):
            self._complain(where, f"should be seeds such as 0-4 or [0, 2, 5], each once, got {short(plain(values))}")

    def _range_of_seeds(self, found: Range, where: Location) -> list[int] | None:
        """Each whole number of a range; None, with a complaint, where it is another range, or too long to be meant."""
        first, last = found.start, found.to
        if found.model_fields_set - {"start", "to"} or not isinstance(first, int) or not isinstance(last, int):
            self._complain(where, "a range of seeds has whole numbers, from and to, and nothing else: {from: 0, to: 4}")
        elif (number := last - first + 1) > MOST:
            self._complain(where, f"these are {number:,} runs, and one command trains at most {MOST:,}")
        else:
            return list(range(first, last + 1))
        return None

    def _complain(self, where: Location, what: str) -> None:
        self.problems.append(self.source.message(where, what))


__all__ = ["parse_axes", "read_axes", "to_axes"]
