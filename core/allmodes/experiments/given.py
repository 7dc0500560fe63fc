"""Networks, losses and metrics that were passed to an experiment from Python, as kinds that its spec may name."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from torch import nn

from allmodes.game.given import give_all, give_loss
from allmodes.game.plain_networks import give_network
from allmodes.metrics.given import give_metric
from allmodes.registry.given import KEYWORDS, PREFIX, Given, given_in, name_of, with_given, words_for
from allmodes.registry.registry import Registry
from allmodes.specs import loading
from allmodes_schemas import LossTermConfig, MetricConfig, NetworkConfig, Spec

Objects: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Objects by keyword argument and name."""
GIVE: Mapping[Any, Callable[[Any], Given]] = {
    NetworkConfig: give_network,
    LossTermConfig: give_loss,
    MetricConfig: give_metric,
}


def with_objects(registry: Registry, objects: Objects) -> Registry:
    """A registry that has the objects, by keyword argument and name, as kinds `python:name`.

    Raises SpecError where a name is no word, or an object cannot stand in its place.
    """
    given = {base: give_all(keyword, objects.get(keyword) or {}, GIVE[base]) for base, keyword in KEYWORDS.items()}
    return with_given(registry, given) if any(given.values()) else registry


def recheck(spec: Spec, registry: Registry, objects: Objects) -> tuple[Spec, Registry]:
    """A spec and a registry that know the objects; both as they are where they know them already.

    Raises SpecError, as `with_objects` and the checks of a spec do.
    """
    known = {(keyword, name_of(kind)) for base, keyword in KEYWORDS.items() for kind in registry.of(base)}
    if {(keyword, name) for keyword, inside in objects.items() for name in inside} <= known:
        return spec, registry
    registry = with_objects(registry, objects)
    return loading.parse(loading.dump_values(spec), registry), registry


def describe_objects(spec: Spec, objects: Objects) -> dict[str, str]:
    """The objects that a spec names, in words, with a digest of their code where that is known."""
    named = {f"{keyword}.{name}": objects[keyword][name] for keyword, names in given_in(spec).items() for name in names}
    return {place: f"{words_for(thing)}{_digest(thing)}" for place, thing in named.items()}


def _digest(thing: Any) -> str:
    """A digest of the code of a class or function, of an object's class; empty where nobody kept it."""
    try:
        code = inspect.getsource(thing if hasattr(thing, "__name__") else type(thing))
    except (OSError, TypeError):
        return ""
    return f" (sha256 {hashlib.sha256(code.encode()).hexdigest()[:12]})"


def find_warnings(spec: Spec, objects: Objects) -> Iterator[str]:
    """What an experiment's user may not have meant: objects that the spec does not name, one start for all seeds."""
    used = given_in(spec)
    for keyword, inside in objects.items():
        for name, thing in inside.items():
            if name not in used.get(keyword, ()):
                yield f"{keyword}: {name!r} was passed, but nothing in the spec is of kind {PREFIX}{name}"
            elif keyword == "networks" and isinstance(thing, nn.Module) and len(spec.seeds) > 1:
                begin = f"all {len(spec.seeds)} seeds begin with the weights of the module that was passed"
                yield f"networks: {name!r}: {begin}: for others, pass its class or a function that makes it"
