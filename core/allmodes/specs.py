"""From a file to a checked spec: one tagged union per slot, errors with file, line, column and the way out."""

from __future__ import annotations

import re
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from operator import or_
from pathlib import Path
from reprlib import repr as short
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import BaseModel, BeforeValidator, Discriminator, Field, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from allmodes.checks import problems_of
from allmodes.registry import WORDS, Registry, did_you_mean
from allmodes_schemas import (
    AuxiliaryConfig,
    Config,
    DatasetConfig,
    DiscriminatorOptions,
    FeatureConfig,
    KindConfig,
    LossTermConfig,
    MetricConfig,
    NetworkConfig,
    PriorConfig,
    Problem,
    Spec,
)

Location: TypeAlias = tuple[str | int, ...]

# A slot's configs may have fields of the slots before it.
_ORDER = (NetworkConfig, FeatureConfig, DatasetConfig, PriorConfig, AuxiliaryConfig, LossTermConfig, MetricConfig)


class SpecError(Exception):
    """A spec that cannot be run; the text has a line for each thing that is wrong."""


@dataclass
class Source:
    """Where a spec came from: the parsed tree, and how to point into it."""

    tree: Any
    name: str
    overridden: set[Location] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not isinstance(self.tree, Mapping):
            raise SpecError(f"{self.name}: a spec is a mapping with the keys {', '.join(Spec.model_fields)}")

    def place(self, path: Location) -> str:
        """`file:line:column` of a path, of its nearest existing parent, or of the option that set it."""
        if any(path[: len(o)] == o for o in self.overridden):
            return "--set"
        node, line, column = self.tree, 0, 0
        for key in path:
            try:
                line, column = node.lc.key(key) if isinstance(node, CommentedMap) else node.lc.item(key)
                node = node[key]
            except (AttributeError, KeyError, IndexError, TypeError):
                break
        return f"{self.name}:{line + 1}:{column + 1}" if hasattr(self.tree, "lc") else self.name


# Reading


def load(reference: str, registry: Registry, overrides: Iterable[str] = ()) -> Spec:
    """The checked spec of a file, recipe or run, with overrides such as `training.iterations=2000`.

    Raises SpecError with a line for each thing that is wrong; warnings go through `warnings.warn`.
    """
    text, name = locate(reference, registry)
    source = read(text, name)
    for override in overrides:
        _override(source, override)
    return check(source, registry)


def parse(values: Mapping[str, Any], registry: Registry) -> Spec:
    """A checked spec from Python values: plain mappings, or config objects in their places."""
    return check(Source(_unrolled(values, "spec"), "spec"), registry)


def locate(reference: str, registry: Registry) -> tuple[str, str]:
    """Text and name of what a user calls a spec: a file, a recipe, or the folder of a run."""
    path = Path(reference)
    if (stored := path / "spec.yaml").is_file():
        path = stored
    if path.is_file():
        return _text(path), str(path)
    if recipe := registry.recipes.get(reference):
        return _text(recipe), reference
    hint = did_you_mean(reference, registry.recipes) or _missing_plugin(reference, registry)
    have = ", ".join(registry.recipes) or "none"
    raise SpecError(f"{reference}: neither a file, a run's folder nor a recipe{hint}. Recipes: {have}")


def read(text: str, name: str) -> Source:
    """Parse YAML (JSON is YAML too); duplicate keys and broken syntax are errors with their place."""
    try:
        return Source(YAML(typ="rt").load(text), name)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise SpecError(f"{place}: {_first_line(error.problem or error.context)}") from None
    except (YAMLError, ValueError) as error:
        raise SpecError(f"{name}: not readable as YAML: {_first_line(error)}") from None
    except RecursionError:
        raise SpecError(f"{name}: nested too deeply") from None


def check(source: Source, registry: Registry) -> Spec:
    """Validate a parsed spec against what is installed, then across its parts."""
    values = _unrolled(source.tree, source.name)
    _refuse([*_unmet(values), *_too_large(values)], source)
    model = spec_model(registry)
    try:
        spec = model.model_validate(values)
    except ValidationError as error:
        raise SpecError("\n".join(_lines(error.errors(), source, model))) from None
    problems = problems_of(spec)
    for problem in problems:
        if problem.severity == "warning":
            warnings.warn(_line(source, problem.where, problem.what), stacklevel=2)
    _refuse([problem for problem in problems if problem.severity == "error"], source)
    return spec


def plain(value: Any) -> Any:
    """Config objects as plain mappings, so that each is validated against the kinds that are installed."""
    if isinstance(value, BaseModel):
        return value.model_dump(serialize_as_any=True)
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def dump(spec: Spec) -> str:
    """A spec as YAML with every default written out."""
    yaml, text = YAML(), StringIO()
    yaml.width = 120
    yaml.dump(spec.model_dump(mode="json"), text)
    return text.getvalue()


def schema(registry: Registry) -> dict[str, Any]:
    """The JSON Schema of a spec with the kinds that are installed, for editors."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **spec_model(registry).model_json_schema(), "title": "allmodes experiment"}


def _unrolled(values: Any, name: str) -> Any:
    try:
        return plain(values)
    except RecursionError:
        raise SpecError(f"{name}: nested too deeply") from None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read: {error}") from None


def _missing_plugin(reference: str, registry: Registry) -> str:
    owner, slash, _ = reference.partition("/")
    if broken := registry.broken.get(owner):
        return f" ({broken} could not be loaded: {broken.error})"
    elsewhere = slash and owner.isidentifier() and owner not in registry.plugins
    return f" (pip install allmodes-{owner}?)" if elsewhere else ""


def _override(source: Source, text: str) -> None:
    """Set a value by its dotted path; mappings on the way are made, entries of lists must be there."""
    dotted, equals, value = text.partition("=")
    if not equals or not dotted:
        raise SpecError(f"--set {text}: write it as key.subkey=value")
    path = tuple(int(part) if part.isdecimal() else part for part in dotted.split("."))
    node = source.tree
    try:
        for key in path[:-1]:
            node = node.setdefault(key, CommentedMap()) if isinstance(node, CommentedMap) else node[key]
        node[path[-1]] = YAML(typ="safe").load(value)
    except (IndexError, KeyError, TypeError):
        raise SpecError(f"--set {text}: there is no {dotted} to set") from None
    except (YAMLError, ValueError) as error:
        raise SpecError(f"--set {text}: not readable as YAML: {_first_line(error)}") from None
    source.overridden.add(path)


def _unmet(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Requirements such as `allmodes-acme>=0.1` that the environment does not meet."""
    wanted = values.get("plugins")
    for i, text in enumerate(wanted if isinstance(wanted, list) else ()):
        if isinstance(text, str) and (what := _lacking(text)):
            yield Problem(("plugins", i), what)


def _lacking(text: str) -> str:
    try:
        requirement = Requirement(text)
        have = version(requirement.name)
    except InvalidRequirement:
        return f"{text!r} is no requirement such as allmodes-acme>=0.1"
    except PackageNotFoundError:
        return f"{text} is not installed: pip install '{text}'"
    if requirement.specifier.contains(have, prereleases=True):
        return ""
    return f"{requirement.name} {have} is installed, but the spec asks for {text}: pip install '{text}'"


def _too_large(value: Any, where: Location = ()) -> Iterator[Problem]:
    """Whole numbers that no tensor holds."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield Problem(where, "is too large a number: whole numbers have at most 63 bits")
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield from _too_large(inner, (*where, key))


# The model


def spec_model(registry: Registry) -> type[Spec]:
    """The spec with every slot narrowed to a tagged union of the kinds that are installed."""
    slots: dict[type, Any] = {}
    for base in _ORDER:
        configs = [_narrowed(kind.config, slots) for kind in registry.of(base).values()]
        slots[base] = _slot(base, configs, registry)
    judges = [_judging(_narrowed(kind.config, slots)) for kind in registry.of(NetworkConfig).values()]
    discriminator = _as(_slot(NetworkConfig, judges, registry), Spec.model_fields["discriminator"])
    fields = _narrowed_fields(Spec, slots) | {"discriminator": discriminator}
    model: type[Spec] = _derived("Spec", (Spec,), Spec, **fields)
    return model


def _slot(base: type[KindConfig], configs: Sequence[Any], registry: Registry) -> Any:
    """What a slot accepts: one of the installed kinds, picked before its settings are read."""
    choice: Any = configs[0] if configs else base
    if len(configs) > 1:
        choice = Annotated[Union[tuple(configs)], Discriminator("kind")]  # noqa: UP007
    accepts: Any = choice
    if base is MetricConfig and configs:  # a bare word means a metric with its defaults
        accepts = Literal[tuple(registry.of(base))] | choice
    return Annotated[choice, BeforeValidator(_picking(base, registry), json_schema_input_type=accepts)]


def _picking(base: type[KindConfig], registry: Registry) -> Callable[[Any], Any]:
    kinds, slot = registry.of(base), WORDS[base]
    example = f"such as {{kind: {next(iter(kinds))}}}" if kinds else "but no installed plugin provides one"

    def pick(value: Any) -> Any:
        value = {"kind": value} if base is MetricConfig and isinstance(value, str) else plain(value)
        if not isinstance(value, dict):
            raise _refusal("said", f"should be a mapping with the kind of {slot}, {example}, got {short(value)}")
        if "kind" not in value:
            raise _refusal("said", f"kind is missing: say which {slot} it is, {example}")
        kind = value["kind"]
        if not isinstance(kind, str):
            raise _refusal("said_of_kind", f"should be a word, got {short(kind)}")
        if kind not in kinds:
            raise _refusal("said_of_kind", registry.advice(base, kind))
        return value

    return pick


def _refusal(about: Literal["said", "said_of_kind"], what: str) -> PydanticCustomError:
    return PydanticCustomError(about, "{what}", {"what": what})


def _judging(config: Any) -> Any:
    """A network's config that may also be told what a discriminator sees."""
    return _derived(f"{config.__name__}OfDiscriminator", (DiscriminatorOptions, config), config)


def _narrowed(config: Any, slots: Mapping[type, Any]) -> Any:
    """A config class whose fields typed by a slot's base accept, and dump, that slot's installed kinds."""
    fields = _narrowed_fields(config, slots)
    return _derived(config.__name__, (config,), config, **fields) if fields else config


def _derived(name: str, bases: tuple[Any, ...], config: Any, **fields: Any) -> Any:
    return create_model(name, __base__=bases, __doc__=config.__doc__, __module__=config.__module__, **fields)


def _narrowed_fields(model: type[BaseModel], slots: Mapping[type, Any]) -> dict[str, Any]:
    changed = {name: _replaced(field.annotation, slots) for name, field in model.model_fields.items()}
    return {
        name: _as(annotation, model.model_fields[name])
        for name, annotation in changed.items()
        if annotation is not model.model_fields[name].annotation
    }


def _as(annotation: Any, field: FieldInfo) -> Any:
    """A field with another annotation; its default is read like a user's value, so that it has the narrowed class."""
    if field.is_required():
        return Annotated[annotation, field], ...
    default = plain(field.get_default(call_default_factory=True))
    if field.default_factory:
        return Annotated[annotation, field], Field(default_factory=lambda: default, validate_default=True)
    return Annotated[annotation, field], Field(default=default, validate_default=True)


def _replaced(annotation: Any, slots: Mapping[type, Any]) -> Any:
    if isinstance(annotation, type) and annotation in slots:
        return slots[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Config) and not issubclass(annotation, KindConfig):
        return _narrowed(annotation, slots)
    inner = tuple(_replaced(argument, slots) for argument in get_args(annotation))
    if all(new is old for new, old in zip(inner, get_args(annotation), strict=True)):
        return annotation
    origin: Any = get_origin(annotation)
    return reduce(or_, inner) if origin in (Union, types.UnionType) else origin[inner]


# Errors


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
_MAPPING = ("model_type", "model_attributes_type")
_OF_KIND = ("said_of_kind", "union_tag_invalid")


def _refuse(problems: Sequence[Problem], source: Source) -> None:
    if problems:
        raise SpecError("\n".join(_line(source, problem.where, problem.what) for problem in problems))


def _line(source: Source, path: Location, what: str) -> str:
    dotted = ".".join(map(str, path))
    return f"{source.place(path)}: {dotted}: {what}" if dotted else f"{source.place(path)}: {what}"


def _lines(errors: Sequence[ErrorDetails], source: Source, model: type[Spec]) -> list[str]:
    """A line for each place; of a union's branches, the one that understood most of the input went deepest."""
    found: dict[Location, list[ErrorDetails]] = {}
    for error in errors:
        found.setdefault(_path(error, source.tree), []).append(error)
    deepest = [p for p in found if not any(len(q) > len(p) and q[: len(p)] == p for q in found)]
    return [_line(source, path, _what(found[path], model)) for path in deepest]


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


def _what(errors: Sequence[ErrorDetails], model: type[Spec]) -> str:
    """One sentence on a place: what is wrong with it, or everything that it may be instead."""
    for error in errors:
        if said := _said(error, model):
            return said
    expected = dict.fromkeys(_expected(error, model) for error in errors)
    return f"should be {' or '.join(expected)}, got {short(errors[0]['input'])}{_near(errors[0]['input'], errors)}"


def _said(error: ErrorDetails, model: type[Spec]) -> str | None:
    """The sentence of an error that speaks for itself."""
    match error["type"]:
        case "said" | "said_of_kind":
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
            return f"unknown key{did_you_mean(str(error['loc'][-1]), _fields_at(model, error['loc'][:-1]))}"
        case "too_short":
            return f"has {error['ctx']['actual_length']} entries, but needs at least {error['ctx']['min_length']}"
    expects = error["type"] in (*_EXPECTED, *_MAPPING) or error["msg"].startswith("Input should be ")
    return None if expects else f"{error['msg'][0].lower()}{error['msg'][1:]}, got {short(error['input'])}"


def _expected(error: ErrorDetails, model: type[Spec]) -> str:
    if error["type"] in _MAPPING:
        return f"a mapping with the keys {', '.join(_fields_at(model, error['loc']))}"
    return _EXPECTED.get(error["type"]) or error["msg"].removeprefix("Input should be ")


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


def _kind_of(model: type[BaseModel]) -> str | None:
    return model.kind_name() if issubclass(model, KindConfig) else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _first_line(error: object) -> str:
    return str(error).splitlines()[0]


__all__ = ["Source", "SpecError", "check", "dump", "load", "locate", "parse", "plain", "read", "schema", "spec_model"]
