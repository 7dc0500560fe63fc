"""Messages about invalid values of a spec, from pydantic's errors: one line for each location."""

from __future__ import annotations

import re
from collections.abc import Sequence
from reprlib import repr as short
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails
from typing_extensions import TypeAliasType

from allmodes.specs.source import SpecSource, shorten
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import SHAPES, Config, KindConfig, Location

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "string_type": "text",
    "tuple_type": "a list",
}
TRACKING = ("tracking", "mlflow", "track", "tracking_uri", "experiment", "experiment_name")
"""Keys that specs do not have, of where runs are logged."""
LOGGED = (
    "is no key of a spec, which says nothing of where runs are logged: set the environment variables "
    "MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME, or log nothing with --no-tracking"
)
_MAPPING = ("model_type", "model_attributes_type")
_PATTERN = "string_pattern_mismatch"
_OF_KIND = ("invalid_kind", "union_tag_invalid")


def describe_errors(errors: Sequence[ErrorDetails], source: SpecSource, model: type[Config]) -> list[str]:
    """One message per location; of a union's branches, the errors of the one that matched most of the input."""
    found: dict[Location, list[ErrorDetails]] = {}
    for error in errors:
        found.setdefault(_path(error, source.tree), []).append(error)
    deepest = [p for p in found if not any(len(q) > len(p) and q[: len(p)] == p for q in found)]
    return shorten([source.message(path, _describe(found[path], model)) for path in deepest])


def _path(error: ErrorDetails, tree: Any) -> Location:
    """The keys of the file in an error's location, without pydantic's names of union branches."""
    loc = (*error["loc"], "kind") if error["type"] in _OF_KIND else error["loc"]
    path: list[str | int] = []
    for key in loc:
        try:
            tree = tree[key]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(key)
    absent = error["type"] == "missing" or (error["type"] == "extra_forbidden" and path[-1:] != [loc[-1]])
    return (*path, loc[-1]) if absent else tuple(path)


def _describe(errors: Sequence[ErrorDetails], model: type[Config]) -> str:
    """The message about a location: the first error with a sentence of its own, else everything that is expected."""
    for error in errors:
        if sentence := _sentence(error, model):
            return sentence
    expected = dict.fromkeys(_describe_expected(error, model) for error in errors)
    return f"should be {' or '.join(expected)}, got {short(errors[0]['input'])}{_near(errors[0]['input'], errors)}"


def _sentence(error: ErrorDetails, model: type[Config]) -> str | None:
    """The sentence of an error that names no expected type."""
    match error["type"]:
        case "invalid" | "invalid_kind":
            return error["msg"]
        case "value_error":
            return str(error["ctx"]["error"])
        case "missing":
            return "is missing"
        case "union_tag_not_found":
            return "kind is missing"
        case "union_tag_invalid":
            context = error["ctx"]
            return f"should be {context['expected_tags']}, got {context['tag']!r}{_near(context['tag'], [error])}"
        case "extra_forbidden":
            return _describe_unknown_key(str(error["loc"][-1]), _fields_at(model, error["loc"][:-1]))
        case "too_short":
            return f"has {error['ctx']['actual_length']} entries, but needs at least {error['ctx']['min_length']}"
        case "too_long":
            return f"has {error['ctx']['actual_length']} entries, but may have at most {error['ctx']['max_length']}"
        case "string_too_short":
            return "is empty" if error["ctx"]["min_length"] == 1 else None
        case "string_too_long":
            return f"has {len(error['input'])} letters, but may have at most {error['ctx']['max_length']}"
    expects = error["type"] in (*_EXPECTED, *_MAPPING, _PATTERN) or error["msg"].startswith("Input should be ")
    return None if expects else f"{error['msg'][0].lower()}{error['msg'][1:]}, got {short(error['input'])}"


def _describe_expected(error: ErrorDetails, model: type[Config]) -> str:
    if error["type"] in _MAPPING:
        return f"a mapping with the keys {', '.join(_fields_at(model, error['loc']))}"
    if error["type"] == _PATTERN:
        return SHAPES.get(error["ctx"]["pattern"]) or f"text as described: {_description_at(model, error['loc'])}"
    return _EXPECTED.get(error["type"]) or error["msg"].removeprefix("Input should be ")


def _describe_unknown_key(key: str, known: Sequence[str]) -> str:
    """Describe a key that is not known here, with a similar one or, where there is none, all."""
    if key in TRACKING and "data" in known:
        return LOGGED
    everything = f" (the keys here are {', '.join(known)})" if known else ""
    return f"unknown key{did_you_mean(key, known) or everything}"


def _near(word: object, errors: Sequence[ErrorDetails]) -> str:
    """A suggestion from the words that the errors name as expected."""
    named = [context.get("expected") or context.get("expected_tags", "") for e in errors if (context := e.get("ctx"))]
    return did_you_mean(str(word), re.findall("'(.*?)'", " ".join(named)))


def _fields_at(annotation: Any, loc: Location) -> list[str]:
    """Names of the fields of the model that an error's location leads to."""
    models = _models(annotation)
    if not loc:
        return list(dict.fromkeys(name for model in models for name in model.model_fields))
    for model in models:
        if loc[0] in model.model_fields:
            return _fields_at(model.model_fields[str(loc[0])].annotation, loc[1:])
    chosen = [model for model in models if loc[0] in (model.__name__, _kind_of(model))]
    return _fields_at(chosen[0] if chosen else annotation, loc[1:])


def _description_at(annotation: Any, loc: Location) -> str:
    """The description of the field that an error's location leads to."""
    models = _models(annotation)
    for model in models:
        if loc[0] in model.model_fields:
            field = model.model_fields[str(loc[0])]
            return (len(loc) > 1 and _description_at(field.annotation, loc[1:])) or field.description or ""
    chosen = [model for model in models if loc[0] in (model.__name__, _kind_of(model))]
    return _description_at(chosen[0] if chosen else annotation, loc[1:]) if len(loc) > 1 else ""


def _kind_of(model: type[BaseModel]) -> str | None:
    return model.kind_name() if issubclass(model, KindConfig) else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    inside = (annotation.__value__,) if isinstance(annotation, TypeAliasType) else get_args(annotation)
    return [model for argument in inside for model in _models(argument)]
