"""What components declare, held to its types: a wrong one would end in an error elsewhere, or be read as another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from reprlib import repr as short
from typing import Any, get_args, get_type_hints

from allmodes.registry.faults import owner_of
from allmodes.registry.slots import SLOT_BASES
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import (
    AuxiliaryConfig,
    Form,
    KindConfig,
    Location,
    Need,
    NetworkConfig,
    PlayerConfig,
    Problem,
    Shape,
    Spec,
    kinds_within,
)


def check_declarations(spec: Spec) -> Iterator[Problem]:
    """Problems of what the components of a spec declare in their classes and methods."""
    for where, config in kinds_within(spec):
        for name in _declared(config):
            value, call = getattr(config, name), ""
            if callable(value):
                value, call = value(), "()"
            is_right, words = DECLARED[name]
            code = f"{config.kind} ({owner_of(config)})"
            if not is_right(value):
                yield Problem(where, f"{code}: {name}{call} is {short(value)}, where {words} is needed")
                break  # others may be derived from it
            if name == "needs":
                yield from (Problem(where, f"{code}: {what}") for what in _wrong_words(value))


def problems_of(component: Any, spec: Spec, where: Location) -> Iterator[Problem]:
    """The problems that a component, at a place of the spec, finds itself."""
    found: Any = component.check(spec)
    code = f"{component.kind} ({owner_of(component)}): check(spec)"
    if not isinstance(found, Iterable):
        found = [Problem(where, f"{code} returns {short(found)}, where a list of Problems is needed")]
    for one in found:
        wrong = _wrong_problem(one)
        yield Problem(where, f"{code} gives {wrong}") if wrong else one


def _wrong_problem(one: Any) -> str:
    """What is given in the place of a problem, and what is needed; nothing where it is one."""
    if not isinstance(one, Problem):
        return f"{short(one)}, where a Problem is needed"
    if not isinstance(one.where, tuple | list) or not isinstance(one.what, str):
        what = f"a Problem at {short(one.where)} that says {short(one.what)}"
        return f"{what}, where a tuple of keys and a text are needed"
    if one.severity not in _SEVERITIES:
        return f"a Problem of severity {one.severity!r}, where 'error' or 'warning' is needed"
    return ""


def _wrong_words(needs: Iterable[Need]) -> Iterator[str]:
    """Slots and forms of requirements that do not exist."""
    for need in needs:
        if need.slot not in _SLOTS:
            hint = did_you_mean(str(need.slot), _SLOTS)
            yield f"needs has a Need of slot {need.slot!r}, which does not exist{hint}: there are {', '.join(_SLOTS)}"
        if need.form and need.form not in get_args(Form):
            forms = ", ".join(get_args(Form))
            yield f"needs has a Need of form {need.form!r}, which does not exist: there are {forms}"


def misfit_of(config: NetworkConfig | AuxiliaryConfig, *shapes: Any) -> str | None:
    """The reason why a network or auxiliary cannot map shapes, or None; an answer of another type is a reason."""
    reason: Any = config.misfit(*shapes)
    return reason if isinstance(reason, str | None) else _wrong_answer(config, "misfit", reason, "a reason or None")


def parameters_of(network: NetworkConfig, sees: tuple[Shape, ...], gives: Shape) -> int | str:
    """The number of a network's weights, 0 where it is unknown; for an answer of another type, what is wrong."""
    weights: Any = network.parameters(sees, gives)
    if weights is None or (isinstance(weights, int) and weights >= 0):
        return weights or 0
    return _wrong_answer(network, "parameters", weights, "a number from 0 or None")


def _wrong_answer(config: KindConfig, method: str, answer: object, words: str) -> str:
    return f"{config.kind} ({owner_of(config)}): {method}() returns {short(answer)}, where {words} is needed"


def _declared(config: KindConfig) -> list[str]:
    """What the base of a config's slot declares, options of the same name apart."""
    base = next((base for base in SLOT_BASES.values() if isinstance(config, base)), KindConfig)
    return [name for name in DECLARED if hasattr(base, name) and name not in type(config).model_fields]


def _is_tuple_of(sort: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple | list) and all(isinstance(entry, sort) for entry in value)


def _is_one_of(*sorts: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, sorts)


def _is_size(value: Any, least: int = 0) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= least)


def _are_parts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_size, value.values()))


def _is_shape(value: Any) -> bool:
    return value is None or (_is_tuple_of(int)(value) and all(_is_size(size, 1) for size in value))


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[\w.+-]+", value) is not None


_NAMES = (_is_tuple_of(str), "a tuple of names")
_TRUTH = (_is_one_of(bool), "True or False")
_SIZE = (_is_size, "a number from 0 or None")
_SLOTS = get_args(get_type_hints(Need)["slot"])
_SEVERITIES = get_args(get_type_hints(Problem)["severity"])

DECLARED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "trained_by": _NAMES,
    "serves": _NAMES,
    "offers": _NAMES,
    "needs": (_is_tuple_of(Need), "a tuple of Needs"),
    "players": (_is_tuple_of(PlayerConfig), "a tuple of PlayerConfigs"),
    "is_game": _TRUTH,
    "penalises_gradients": _TRUTH,
    "bounds_slope": _TRUTH,
    "normalises_batches": _TRUTH,
    "known_modes": _TRUTH,
    "classes": _SIZE,
    "shape": (_is_shape, "a tuple of numbers from 1 or None"),
    "parts": (_are_parts, "a mapping of names to numbers from 0 or None"),
    "size": _SIZE,
    "sees": (lambda value: value in ("data", "features"), "'data' or 'features'"),
    "gives": (_is_word, "a word"),
    "form": (lambda value: value in ("", *get_args(Form)), "'point', 'gaussian', 'logits' or ''"),
    "title": (_is_word, "a word, which files are named after,"),
    "row": (lambda value: isinstance(value, str) and bool(value.strip()), "a text"),
}
"""By name of what a config declares, whether a value has its type, and the type in words."""
