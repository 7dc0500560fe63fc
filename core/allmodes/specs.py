"""From a file to a checked spec: one tagged union per slot, errors with file, line, column and the way out."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import reduce
from io import StringIO
from operator import or_
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, create_model
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
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

Path_ = tuple[str | int, ...]

# A slot's configs may have fields of the slots before it.
_ORDER = (NetworkConfig, FeatureConfig, DatasetConfig, PriorConfig, AuxiliaryConfig, LossTermConfig, MetricConfig)


class SpecError(Exception):
    """A spec that cannot be run; the text has a line for each thing that is wrong."""


@dataclass
class Source:
    """Where a spec came from: the parsed tree, and how to point into it."""

    tree: Any
    name: str
    overridden: set[Path_] = field(default_factory=set)

    def place(self, path: Path_) -> str:
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


def read(text: str, name: str) -> Source:
    """Parse YAML (JSON is YAML too); duplicate keys and broken syntax are errors with their place."""
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise SpecError(f"{place}: {str(error.problem or error.context).splitlines()[0]}") from None
    except (YAMLError, ValueError) as error:
        raise SpecError(f"{name}: not readable as YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(tree, CommentedMap):
        raise SpecError(f"{name}:1:1: a spec is a mapping with the keys {', '.join(Spec.model_fields)}")
    return Source(tree, name)


def locate(reference: str, registry: Registry) -> tuple[str, str]:
    """Text and name of what a user calls a spec: a file, a recipe, or the folder of a finished run."""
    path = Path(reference)
    if path.is_dir() and (stored := next((p for p in (path / "spec.yaml", *path.glob("*/spec.yaml")) if p.is_file()), None)):
        path = stored
    if path.is_file():
        try:
            return path.read_text("utf-8"), str(path)
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"{reference}: cannot be read: {error}") from None
    if reference in registry.recipes:
        return registry.recipes[reference].read_text("utf-8"), reference
    hint = did_you_mean(reference, registry.recipes) or _missing_plugin(reference, registry)
    raise SpecError(
        f"{reference}: neither a file, a run's folder nor a recipe{hint}. Recipes: {', '.join(registry.recipes) or 'none'}"
    )


def _missing_plugin(reference: str, registry: Registry) -> str:
    owner, slash, _ = reference.partition("/")
    if broken := registry.broken.get(owner):
        return f" ({broken} could not be loaded: {broken.error})"
    return f" (pip install allmodes-{owner}?)" if slash and owner.isidentifier() and owner not in registry.plugins else ""


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
    return check(Source(plain(values), "spec"), registry)


def check(source: Source, registry: Registry) -> Spec:
    """Validate a parsed spec against what is installed, then across its parts."""
    _require_plugins(source)
    model = spec_model(registry)
    try:
        spec = model.model_validate(_spelt_out(source.tree))
    except ValidationError as error:
        raise SpecError("\n".join(_lines(error.errors(), source, model, registry))) from None
    problems = problems_of(spec)
    for problem in problems:
        if problem.severity == "warning":
            warnings.warn(f"{source.place(problem.where)}: {problem.what}", stacklevel=2)
    if errors := [problem for problem in problems if problem.severity == "error"]:
        raise SpecError("\n".join(_line(source, p.where, p.what) for p in errors))
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


def _spelt_out(tree: Any) -> Any:
    """Plain containers, with a metric's bare word written as a mapping."""
    values = _plain_tree(tree)
    evaluation = values.get("evaluation")
    if isinstance(evaluation, dict) and isinstance(evaluation.get("metrics"), list):
        evaluation["metrics"] = [{"kind": m} if isinstance(m, str) else m for m in evaluation["metrics"]]
    return values


def _plain_tree(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _plain_tree(value) for key, value in node.items()}
    return [_plain_tree(value) for value in node] if isinstance(node, list) else node


def _override(source: Source, text: str) -> None:
    dotted, equals, value = text.partition("=")
    if not equals or not dotted:
        raise SpecError(f"--set {text}: write it as key.subkey=value")
    path = tuple(int(part) if part.isdigit() else part for part in dotted.split("."))
    node = source.tree
    for key in path[:-1]:
        try:
            node = node.setdefault(key, CommentedMap()) if isinstance(node, CommentedMap) else node[key]
        except (IndexError, KeyError, TypeError):
            raise SpecError(f"--set {text}: there is no {key!r} to go into") from None
    try:
        node[path[-1]] = YAML(typ="safe").load(value)
    except (IndexError, TypeError):
        raise SpecError(f"--set {text}: there is no {path[-1]!r} to set") from None
    except YAMLError as error:
        raise SpecError(f"--set {text}: {str(error).splitlines()[0]}") from None
    source.overridden.add(path)


def _require_plugins(source: Source) -> None:
    """Requirements such as `allmodes-veegan>=0.1`, checked before kinds are looked up."""
    from importlib.metadata import PackageNotFoundError, version

    from packaging.requirements import InvalidRequirement, Requirement

    wanted = source.tree.get("plugins") if isinstance(source.tree, Mapping) else None
    for i, text in enumerate(wanted if isinstance(wanted, list) else ()):
        where = ("plugins", i)
        try:
            requirement = Requirement(str(text))
            have = version(requirement.name)
        except InvalidRequirement:
            raise SpecError(_line(source, where, f"{text!r} is no requirement such as allmodes-veegan>=0.1")) from None
        except PackageNotFoundError:
            raise SpecError(_line(source, where, f"{text} is not installed: pip install '{text}'")) from None
        if not requirement.specifier.contains(have, prereleases=True):
            what = f"{requirement.name} {have} is installed, but the spec asks for {text}: pip install '{text}'"
            raise SpecError(_line(source, where, what))


# The model


def spec_model(registry: Registry) -> type[Spec]:
    """The spec with every slot narrowed to a tagged union of the kinds that are installed."""
    unions: dict[type, Any] = {}
    for base in _ORDER:
        configs = [_narrowed(kind.config, unions) for kind in registry.of(base).values()]
        unions[base] = _union(configs, base)
    judges = [_judging(_narrowed(kind.config, unions)) for kind in registry.of(NetworkConfig).values()]
    fields = _narrowed_fields(Spec, unions)
    fields["discriminator"] = (_union(judges, NetworkConfig), copy(Spec.model_fields["discriminator"]))
    fields["evaluation"] = _section(Spec, "evaluation", unions)
    return create_model("Spec", __base__=Spec, __doc__=Spec.__doc__, **fields)


def _section(model: type[BaseModel], name: str, unions: Mapping[type, Any]) -> Any:
    """A field that is itself a model with slots inside, and whose default must be of the narrowed class."""
    inner = model.model_fields[name]
    narrowed = _narrowed(inner.annotation, unions)  # type: ignore[arg-type]
    changed = copy(inner)
    changed.default = narrowed()
    return narrowed, changed


def _judging(config: Any) -> Any:
    return create_model(config.__name__, __base__=(config, DiscriminatorOptions), __doc__=config.__doc__)


def _narrowed(config: Any, unions: Mapping[type, Any]) -> Any:
    """A config class whose fields typed by a slot's base accept, and dump, that slot's installed kinds."""
    fields = _narrowed_fields(config, unions)
    return create_model(config.__name__, __base__=config, __doc__=config.__doc__, **fields) if fields else config


def _narrowed_fields(model: type[BaseModel], unions: Mapping[type, Any]) -> dict[str, Any]:
    changed = {name: _replaced(f.annotation, unions) for name, f in model.model_fields.items()}
    return {
        name: (annotation, copy(model.model_fields[name]))
        for name, annotation in changed.items()
        if annotation is not model.model_fields[name].annotation
    }


def _replaced(annotation: Any, unions: Mapping[type, Any]) -> Any:
    if isinstance(annotation, type) and annotation in unions:
        return unions[annotation]
    inner = tuple(_replaced(argument, unions) for argument in get_args(annotation))
    if all(new is old for new, old in zip(inner, get_args(annotation), strict=True)):
        return annotation
    origin = get_origin(annotation)
    return reduce(or_, inner) if origin in (Union, types.UnionType) else origin[inner]  # type: ignore[index]


def _union(configs: Sequence[Any], base: type[KindConfig]) -> Any:
    if not configs:
        return Annotated[base, BeforeValidator(_none_installed(base))]
    return configs[0] if len(configs) == 1 else Annotated[Union[tuple(configs)], Field(discriminator="kind")]  # noqa: UP007


def _none_installed(base: type[KindConfig]) -> Callable[[Any], Any]:
    def refuse(value: Any) -> Any:
        word = value.get("kind") if isinstance(value, dict) else None
        raise PydanticCustomError("no_kinds", "{slot}", {"slot": WORDS[base], "tag": word or ""})

    return refuse


# Errors


def _lines(errors: Sequence[ErrorDetails], source: Source, model: type[Spec], registry: Registry) -> list[str]:
    found: dict[Path_, str] = {}
    for error in errors:
        path = _path(error["loc"], source.tree)
        if error["type"] in ("missing", "extra_forbidden") and path[-1:] != error["loc"][-1:]:
            path = (*path, error["loc"][-1])
        found.setdefault(path, _what(error, model, registry))
    # Of a union's branches, the one that understood most of the input went deepest.
    deepest = [p for p in found if not any(len(q) > len(p) and q[: len(p)] == p for q in found)]
    return [_line(source, path, found[path]) for path in deepest]


def _line(source: Source, path: Path_, what: str) -> str:
    dotted = ".".join(map(str, path))
    return f"{source.place(path)}: {dotted}: {what}" if dotted else f"{source.place(path)}: {what}"


def _path(loc: Path_, tree: Any) -> Path_:
    """The keys of the file in an error's location, without pydantic's names of union branches."""
    path: list[str | int] = []
    for key in loc:
        try:
            tree = tree[key]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(key)
    return tuple(path)


def _what(error: ErrorDetails, model: type[Spec], registry: Registry) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "union_tag_invalid":
            return registry.advice(_slot(context["expected_tags"], registry), str(context["tag"]))
        case "no_kinds":
            base = next(base for base, word in WORDS.items() if word == context["slot"])
            return registry.advice(base, str(context["tag"]))
        case "literal_error" if error["loc"][-1] == "kind":
            return registry.advice(_slot(context["expected"], registry), str(error["input"]))
        case "union_tag_not_found":
            return "kind is missing: say which component this is"
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return f"unknown key{did_you_mean(str(error['loc'][-1]), _fields_at(model, error['loc'][:-1]))}"
        case "value_error":
            return str(context["error"])
    return f"{error['msg'][0].lower()}{error['msg'][1:]}, got {error['input']!r}"


def _slot(expected: str, registry: Registry) -> type[KindConfig]:
    """The slot whose kinds an error lists."""
    listed = {word.strip(" '") for word in expected.replace(" or ", ",").split(",")}
    return next(base for base in _ORDER if set(registry.of(base)) == listed)


def _fields_at(annotation: Any, loc: Path_) -> list[str]:
    """Names of the fields of the model that an error's location leads to."""
    models = _models(annotation)
    if not loc:
        return [name for model in models for name in model.model_fields]
    for model in models:
        if loc[0] in model.model_fields:
            return _fields_at(model.model_fields[str(loc[0])].annotation, loc[1:])
    chosen = [m for m in models if loc[0] in (m.__name__, m.model_fields.get("kind", Field()).default)]
    return _fields_at(chosen[0] if chosen else annotation, loc[1:])


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


__all__ = ["Problem", "Source", "SpecError", "check", "dump", "load", "locate", "parse", "plain", "read", "spec_model"]
