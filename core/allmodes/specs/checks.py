"""All checks of a spec whose types and ranges are valid, made before torch is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from allmodes.registry.registry import Registry
from allmodes.specs.absent import check_absent_discriminator
from allmodes.specs.control import check_control
from allmodes.specs.declarations import check_declarations, problems_of
from allmodes.specs.effects import check_effects
from allmodes.specs.hints import check_image_metrics
from allmodes.specs.limits import check_memory
from allmodes.specs.needs import check_labels, check_needs, check_streams
from allmodes.specs.players import MODULES, check_players, players_of
from allmodes.specs.shapes import check_batches, check_discriminator, check_shapes
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import (
    AuxiliaryConfig,
    Key,
    LossTermConfig,
    MetricConfig,
    NetworkConfig,
    PriorConfig,
    Problem,
    ReferenceConfig,
    SamplerConfig,
    Shape,
    Spec,
    kinds_within,
)

_CHECKED = (PriorConfig, NetworkConfig, AuxiliaryConfig, LossTermConfig, SamplerConfig, MetricConfig, ReferenceConfig)
"""Bases of the components that check the rest of a spec themselves."""


def check_spec(spec: Spec, registry: Registry) -> list[Problem]:
    """Problems of a spec, those included that its components find themselves; some come alone, since others follow.

    Remedies name kinds of the registry.
    """
    if first := list(check_declarations(spec)) or list(check_absent_discriminator(spec)):
        return first
    players, shape = players_of(spec), spec.data.shape()
    checking = [(where, found) for where, found in kinds_within(spec) if isinstance(found, _CHECKED)]
    return list(
        chain(
            _check_game(spec),
            _check_repetitions(spec),
            check_needs(spec, registry),
            _check_names(spec),
            check_streams(spec) if shape is not None and spec.data.classes() is None else (),
            check_discriminator(spec),
            check_shapes(spec, shape),
            _check_memory(spec, shape),
            check_batches(spec),
            check_players(spec, players),
            check_effects(spec, players),
            *(problems_of(component, spec, where) for where, component in checking),
            _check_numbers(spec) or chain(_check_best(spec), check_control(spec)),
            problems_of(spec.data, spec, ("data",)),
            check_image_metrics(spec, shape) if shape is not None else (),
        )
    )


def check_loaded(spec: Spec, shape: Shape, classes: int | None) -> list[Problem]:
    """Problems that show once the data are loaded: missing labels, or items of a shape that suits no network."""
    unlabelled = check_labels(spec) if classes is None else ()
    return [*unlabelled, *check_shapes(spec, shape), *_check_memory(spec, shape)]


def _check_game(spec: Spec) -> Iterator[Problem]:
    games = [(i, term.kind) for i, term in enumerate(spec.losses) if term.is_game]
    if spec.discriminator is not None and not games:
        taught = any("generator" in term.serves for term in spec.losses)
        otherwise = ", or leave out the discriminator" if taught else ""
        yield Problem(("losses",), f"no game among the losses: add one, such as {{kind: non_saturating}}{otherwise}")
    for i, kind in games[1:]:
        yield Problem(("losses", i), f"{kind} is a second game beside {games[0][1]}: a spec has exactly one")


def _check_repetitions(spec: Spec) -> Iterator[Problem]:
    """Seeds, metrics and references that are listed twice: results are looked up by their names."""
    metrics = [metric.title() for metric in spec.evaluation.metrics]
    references = [reference.row() for reference in spec.evaluation.references]
    listed = {("seeds",): spec.seeds, ("evaluation", "metrics"): metrics, ("evaluation", "references"): references}
    for where, values in listed.items():
        for i, value in enumerate(values):
            if value in values[:i]:
                yield Problem((*where, i), f"{value} is already listed: list it once")


def _check_numbers(spec: Spec) -> list[Problem]:
    """Declarations of another form, and numbers of two metrics that have one name: one would replace the other."""
    problems, owners = list[Problem](), dict[str, str]()
    for i, metric in enumerate(spec.evaluation.metrics):
        declared: Any = metric.numbers()
        if not isinstance(declared, Mapping) or not all(isinstance(number, Key) for number in declared.values()):
            problem = f"{metric.kind} declares its numbers as {declared!r}: numbers() must return a Key for each name"
            return [Problem(("evaluation", "metrics", i), problem)]
        for key in declared:
            if (owner := owners.setdefault(key, metric.title())) != metric.title():
                problem = f"{metric.title()} gives a number {key!r}, as {owner} does: list one of them"
                problems.append(Problem(("evaluation", "metrics", i), problem))
    return problems


def _check_best(spec: Spec) -> Iterator[Problem]:
    if (best := spec.training.checkpoints.best) is None:
        return
    known = [key for key, number in spec.evaluation.numbers().items() if number.better]
    if best not in known:
        what = f"{best!r} is not a number of this spec's metrics that has a best value{did_you_mean(best, known)}"
        yield Problem(("training", "checkpoints", "best"), f"{what}: there are {', '.join(known) or 'none'}")


def _check_names(spec: Spec) -> Iterator[Problem]:
    for name in spec.auxiliaries:
        if name in (*MODULES, "sampler"):
            yield Problem(("auxiliaries", name), f"{name!r} is a module of every spec: choose another name")


def _check_memory(spec: Spec, shape: Shape | None) -> Iterator[Problem]:
    """Problems of memory, unless shapes do not fit: sizes mean nothing then."""
    if not list(check_shapes(spec, shape)):
        yield from check_memory(spec, shape)
