"""Metrics from Python objects: a function of samples as a metric."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from typing_extensions import override

from allmodes.metrics.base import Evaluation, Metric
from allmodes.registry.faults import ContractError
from allmodes.registry.given import Given, name_kind, words_for

NAMED: Mapping[str, Callable[[Evaluation], Any]] = {
    "samples": lambda evaluation: evaluation.samples,
    "real": lambda evaluation: evaluation.real.x,
    "labels": lambda evaluation: evaluation.real.labels,
    "data": lambda evaluation: evaluation.data,
    "generator": lambda evaluation: evaluation.generator,
    "evaluation": lambda evaluation: evaluation,
}
"""What a function may ask for by the names of its arguments."""
BY_PLACE = ("samples", "real")
"""What the first two arguments are, whatever they are called, where their names are none of those."""


class GivenMetric(Metric):
    """A function of samples, and of what else it names, as a metric.

    A number that it returns is called `key`; a mapping has names of its own.
    """

    def __init__(self, function: Callable[..., Any], key: str, options: Mapping[str, Any]) -> None:
        self.function, self.key, self.options = function, key, options
        self.asked = _find_arguments(function, options)

    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        values = [NAMED[name](evaluation) for name in self.asked]
        numbers = self.function(*values, **self.options)
        return dict(numbers) if isinstance(numbers, Mapping) else {self.key: numbers}


def give_metric(thing: Any) -> Given:
    """A function of samples, or an `allmodes.Metric`, as metrics are built from it; raises TypeError otherwise."""
    if isinstance(thing, type) and issubclass(thing, Metric):
        return Given(lambda config: thing(**config.options), words_for(thing))
    if isinstance(thing, Metric):
        return Given(lambda config: _copy_metric(thing, config), words_for(thing))
    if not callable(thing):
        raise TypeError(f"is {name_kind(thing)}: give a function of samples and real items, or an allmodes.Metric")
    return Given(lambda config: GivenMetric(thing, config.title(), config.options), words_for(thing))


def _copy_metric(metric: Metric, config: Any) -> Metric:
    """A copy of a metric that was passed, so that none sees what another keeps.

    Raises ContractError where the spec has options for it.
    """
    if config.options:
        raise ContractError("is a metric object, which takes no options: give its class")
    return copy.deepcopy(metric)


def _find_arguments(function: Callable[..., Any], options: Mapping[str, Any]) -> tuple[str, ...]:
    """What a function is called with, in order; raises ContractError where it asks for more than there is."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return BY_PLACE[:1]
    asked: list[str] = []
    for place, one in enumerate(
        one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ):
        if one.name in options:
            break
        if one.name in NAMED:
            asked.append(one.name)
        elif one.default is not one.empty:
            break
        elif place < len(BY_PLACE):
            asked.append(BY_PLACE[place])
        else:
            raise ContractError(
                f"asks for {one.name!r}: a metric is a function of samples and real items, and of "
                f"{', '.join(list(NAMED)[2:])} by name; give other arguments a default, or set them under options"
            )
    return tuple(asked)
