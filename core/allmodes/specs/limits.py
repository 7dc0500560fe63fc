"""Limits of numbers in a spec: 32-bit floats, plausible sizes, memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import Any, get_args

from annotated_types import Le, Lt
from pydantic.fields import FieldInfo

from allmodes.specs.declarations import parameters_of
from allmodes.specs.shapes import network_shapes
from allmodes_schemas import ANY, Config, Location, NetworkConfig, Problem, Sane, Shape, Spec

SMALLEST, LARGEST = 1e-30, 1e30
"""Numbers beyond these become 0 or infinite once they are multiplied as 32-bit floats."""
BELIEVED = Sane(1_000_000)
"""The limit of whole numbers that have neither a bound nor a `Sane` of their own."""
MEMORY = 16 * 2**30
"""Bytes that one network or batch may take."""
COPIES = 4
"""Numbers kept for each weight: itself, its gradient, and two moments."""
MEANT = "set large: true if you mean it"


def check_sizes(spec: Spec) -> list[Problem]:
    """Numbers that no run could use and, unless the spec says `large`, sizes that are most likely slips."""
    return [problem for where, value, sane in _numbers(spec) if (problem := _problem(spec, where, value, sane))]


def check_memory(spec: Spec, shape: Shape | None) -> Iterator[Problem]:
    """Networks and batches of items of a shape that would take implausibly much memory."""
    if spec.large or shape is None:
        return
    for where, network, sees, gives in _networks(spec, shape):
        weights = parameters_of(network, sees, gives)
        if isinstance(weights, str):
            yield Problem(where, weights)
        elif (needed := 4 * COPIES * weights) > MEMORY:
            message = f"its {weights:,} weights take {_gigabytes(needed)} with gradients and moments"
            yield Problem(where, f"{message}: make it narrower, or {MEANT}")
    for where, items in ((("training", "batch_size"), spec.training.batch_size),
                         (("evaluation", "samples"), spec.evaluation.samples)):  # fmt: skip
        if (needed := 4 * items * prod(shape)) > MEMORY:
            yield Problem(where, f"{items:,} items take {_gigabytes(needed)}: take fewer, or {MEANT}")


def count_weights(spec: Spec, shape: Shape) -> int:
    """The approximate number of weights of a spec's networks for items of a shape, as far as their configs know it."""
    counts = [parameters_of(network, sees, gives) for _, network, sees, gives in _networks(spec, shape)]
    return sum(count for count in counts if isinstance(count, int))


def _problem(spec: Spec, where: Location, value: float, sane: Sane | None) -> Problem | None:
    if isinstance(value, float) and value and not SMALLEST <= abs(value) <= LARGEST:
        message = f"{value:g} cannot be computed with in 32-bit floats: take a size"
        return Problem(where, f"{message} between {SMALLEST:g} and {LARGEST:g}")
    if spec.large or sane is None or isinstance(value, float) or value <= sane.most:
        return None
    return Problem(where, f"{value:,} is more than {sane.most:,}, and most likely a slip: {MEANT}")


def _numbers(config: Config, where: Location = ()) -> Iterator[tuple[Location, float, Sane | None]]:
    """Every number of a spec, and the length of every list that has a limit, with location and limit."""
    for name, value in config:
        yield from _numbers_in(value, _sane(type(config), name), (*where, name))


def _numbers_in(value: Any, sane: Sane | None, where: Location) -> Iterator[tuple[Location, float, Sane | None]]:
    if isinstance(value, Config):
        yield from _numbers(value, where)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers_in(inner, sane, (*where, key))
    elif isinstance(value, tuple | list):
        if sane and sane.length is not None:
            yield (*where, "length"), len(value), Sane(sane.length)
        for i, inner in enumerate(value):
            yield from _numbers_in(inner, sane, (*where, i))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield where, value, sane


def _sane(config: type[Config], name: str) -> Sane | None:
    """The limit of a field, also one that a base class declares; by default a million, or none where it has a bound."""
    bases = [base for base in config.__mro__ if issubclass(base, Config)]
    fields = [base.__pydantic_fields__[name] for base in bases if name in base.__pydantic_fields__]
    declared = [mark for field in fields for mark in _marks(field) if isinstance(mark, Sane)]
    if declared:
        return None if declared[0].most >= ANY else declared[0]
    bounded = any(isinstance(mark, Le | Lt) for mark in _marks(fields[0]))
    return None if bounded else BELIEVED


def _marks(field: FieldInfo) -> Iterator[object]:
    """Annotations of a field and of any part of its type."""
    yield from field.metadata
    yield from _marks_in(field.annotation)


def _marks_in(annotation: Any) -> Iterator[object]:
    yield from _flat(getattr(annotation, "__metadata__", ()))
    for argument in get_args(annotation):
        yield from _marks_in(argument)


def _flat(marks: Iterable[object]) -> Iterator[object]:
    for mark in marks:
        yield from mark.metadata if isinstance(mark, FieldInfo) else (mark,)


def _networks(spec: Spec, shape: Shape) -> Iterator[tuple[Location, NetworkConfig, tuple[Shape, ...], Shape]]:
    """Each network with its location, input shapes and output shape."""
    yield from (((name,), network, sees, gives) for name, network, sees, gives in network_shapes(spec, shape))
    code = spec.prior.parts().get("code") or 1
    for name, auxiliary in spec.auxiliaries.items():
        body = getattr(auxiliary, "network", None)
        if auxiliary.sees == "data" and isinstance(body, NetworkConfig):
            yield ("auxiliaries", name, "network"), body, (shape,), (code,)


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:,.0f} GiB"


__all__ = ["BELIEVED", "COPIES", "MEMORY", "check_memory", "check_sizes", "count_weights"]
