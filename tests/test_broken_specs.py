"""Two thousand broken specs: each is refused without a traceback, and each complaint names a field that is wrong."""

import copy
import functools
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from allmodes.specs import loading
from allmodes.specs.loading import SpecError
from fixtures.distributions import first_party

Where: TypeAlias = tuple[str | int, ...]

REGISTRY = first_party()
NUMBERS = {"iterations", "batch_size", "every", "samples", "lr", "dim", "log_every", "threads"}
REQUIRED = {"name", "data", "prior", "generator", "discriminator", "losses", "kind"}


@functools.cache
def recipes() -> Mapping[str, Any]:
    """The trees of all recipes; not read by whoever only collects the tests."""
    return {name: YAML(typ="safe").load(path.read_text("utf-8")) for name, path in REGISTRY.recipes.items()}


def nodes(value: Any, where: Where = ()) -> Iterator[tuple[Where, Any]]:
    """Every place of a tree with what stands there."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*where, key), inner
        yield from nodes(inner, (*where, key))


def parent(tree: Any, where: Where) -> Any:
    for key in where[:-1]:
        tree = tree[key]
    return tree


def optional(where: Where) -> bool:
    """Whether a word that is required elsewhere may be missing here.

    A player's optimiser has a default, and so has a prior within another; a kind may be missing where one alone fits.
    """
    is_optimizer = where[:2] == ("training", "optimizers") and len(where) == 3
    return is_optimizer or where[-2:] in (("classifier", "kind"), ("prior", "prior"))


def breakages(tree: Any) -> list[tuple[str, Where]]:
    """Each way to break a valid spec, with the place that is wrong afterwards."""
    found: list[tuple[str, Where]] = [("unknown key", ("zzz",))]
    for where, value in nodes(tree):
        found.append(("a mapping that nobody expects", where))
        if isinstance(value, dict):
            found.append(("unknown key", (*where, "zzz")))
        if where[-1] in NUMBERS and isinstance(value, int | float):
            found += [("negative", where), ("text", where), ("huge", where)]
        if where[-1] in REQUIRED and not optional(where):
            found.append(("missing", where))
        if where[-1] == "kind":
            found.append(("unknown kind", where))
    return found


def break_at(tree: Any, how: str, where: Where) -> None:
    node = parent(tree, where)
    match how:
        case "missing":
            del node[where[-1]]
        case "unknown key":
            node["zzz"] = 1
        case "negative":
            node[where[-1]] = -3
        case "text":
            node[where[-1]] = "many"
        case "huge":
            node[where[-1]] = 10**40
        case "unknown kind":
            node[where[-1]] = "gausian.x"
        case _:
            node[where[-1]] = {"zzz": [1]}


def draw_broken(data: st.DataObject) -> tuple[Any, list[Where]]:
    """A recipe with one to three breakages, none inside another, and the places that are wrong."""
    tree = copy.deepcopy(recipes()[data.draw(st.sampled_from(sorted(REGISTRY.recipes)))])
    wrong: list[Where] = []
    for _ in range(data.draw(st.integers(1, 3))):
        apart = [(how, where) for how, where in breakages(tree) if not any(nested(where, other) for other in wrong)]
        how, where = data.draw(st.sampled_from(apart))
        break_at(tree, how, where)
        wrong.append(where)
    return tree, wrong


def nested(one: Where, other: Where) -> bool:
    n = min(len(one), len(other))
    return one[:n] == other[:n]


@settings(max_examples=2000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_broken_spec_is_refused_with_the_location_of_the_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tree, wrong = draw_broken(data)
    file = tmp_path_factory.getbasetemp() / "broken.yaml"
    file.write_text(json.dumps(tree, indent=1))  # which is YAML, too, and faster to write
    with warnings.catch_warnings(action="ignore"), pytest.raises(SpecError) as error:
        loading.load(str(file), REGISTRY)
    for line in str(error.value).splitlines():
        message = re.fullmatch(rf"{re.escape(str(file))}:\d+:\d+: ([\w.\-]+): (.+)", line)
        assert message, line
        named = tuple(int(key) if key.isdecimal() else key for key in message[1].split("."))
        assert any(nested(named, where) for where in wrong), (line, wrong)
