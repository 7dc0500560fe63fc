"""Which runs of a study share a task: those that one process can train together as the lanes of a stack.

It is decided from the specs alone, without torch. Whoever trains a task looks at shapes again, so a wrong guess here
costs time, not results.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from math import ceil
from typing import Any, TypeAlias

from allmodes.builtin.config.networks import DcganConfig
from allmodes.engine.choice import LANES, choose
from allmodes.specs.limits import COPIES, count_weights
from allmodes.studies.study import StudyRun
from allmodes_schemas import Config, DatasetConfig, NetworkConfig, Ramp, Spec, StreamConfig

Stack: TypeAlias = tuple[StudyRun, ...]
"""Runs that one process trains together."""

MEMORY = 2**30
"""Bytes that weights, gradients and moments of a stack may take."""
SHARED = (
    *("batch_size", "schedule", "discriminator_updates", "optimizer", "optimizers"),
    *("precision", "deterministic", "threads", "device", "engine"),
)
"""Settings of training that the lanes of a stack have in common, the numbers of their optimisers apart."""


def make_stacks(runs: Sequence[StudyRun], jobs: int) -> list[Stack]:
    """Share runs out into tasks, in the order of their first runs, so that each of `jobs` processes has work."""
    groups: dict[Hashable, list[StudyRun]] = {}
    most = {run.entry.name: most_lanes(run.entry.spec) for run in runs}
    forms = {run.entry.name: (form(run.entry.spec), most[run.entry.name] == 1) for run in runs}
    for run in runs:
        groups.setdefault(forms[run.entry.name], []).append(run)
    fair = ceil(len(runs) / jobs)
    stacks = [stack for group in groups.values() for stack in _cut(group, min(fair, most[group[0].entry.name]))]
    places = {run.name: place for place, run in enumerate(runs)}
    return sorted(stacks, key=lambda stack: places[stack[0].name])


def most_lanes(spec: Spec) -> int:
    """How many runs of a spec's form one process trains together at most; 1 where they gain nothing by it.

    Whether there is a GPU, and what only files or a plugin's networks know, is not looked at.
    """
    shape, training = spec.data.shape(), spec.training
    weights = count_weights(spec, shape) if shape is not None else 0
    convolutions = any(isinstance(network, DcganConfig) for network in spec.each(NetworkConfig))
    if choose(training, "cpu", LANES, weights, convolutions).engine == "eager":
        return 1
    return max(1, min(LANES, MEMORY // max(1, 4 * COPIES * weights)))


def form(spec: Spec) -> Hashable:
    """What runs of one stack have in common: everything but the numbers that an engine takes along the lanes."""
    parts = (spec.prior, spec.generator, spec.discriminator, spec.auxiliaries, spec.losses)
    training = [getattr(spec.training, name) for name in SHARED]
    return _form_of(spec.data), *map(_structure, (*parts, spec.streams, *training))


def _form_of(data: DatasetConfig) -> Hashable:
    """The form of a spec's batches: the kind of its data with all but real numbers and seeds."""
    return type(data), data.shape(), data.classes(), _fields(data, [name for name, _ in data if "seed" in name])


def _structure(value: Any) -> Hashable:
    """A value without the numbers that may differ: reals, of which only whether they are 0 is left, and ramps."""
    if isinstance(value, Ramp):
        return "a number"
    if isinstance(value, float):
        return "a number" if value else 0
    if isinstance(value, StreamConfig):
        return value.batch_size
    if isinstance(value, Config):
        return type(value), _fields(value)
    if isinstance(value, Mapping):
        return tuple((key, _structure(inner)) for key, inner in value.items())
    return tuple(map(_structure, value)) if isinstance(value, tuple | list) else value


def _fields(config: Config, without: Sequence[str] = ()) -> Hashable:
    return tuple((name, _structure(value)) for name, value in config if name not in without)


def _cut(runs: Sequence[StudyRun], most: int) -> list[Stack]:
    """Cut runs into as few stacks of at most `most` as possible, of nearly equal size."""
    pieces = ceil(len(runs) / most)
    edges = [ceil(i * len(runs) / pieces) for i in range(pieces + 1)]
    return [tuple(runs[a:b]) for a, b in pairwise(edges)]
