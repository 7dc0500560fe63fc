"""The model of a spec whose slots accept exactly the installed kinds."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from operator import or_
from reprlib import repr as short
from typing import Annotated, Any, ForwardRef, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from allmodes.registry.given import GIVEN_CONFIGS, Word
from allmodes.registry.registry import Registry
from allmodes.registry.slots import SLOT_NAMES
from allmodes.registry.unknown_kind import unknown_kind
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
    ReferenceConfig,
    SamplerConfig,
    Spec,
)

_ORDER = (
    *(NetworkConfig, FeatureConfig, DatasetConfig, PriorConfig, AuxiliaryConfig, LossTermConfig),
    *(SamplerConfig, MetricConfig, ReferenceConfig),
)
_WORDS = (MetricConfig, ReferenceConfig)
"""Slots in which a bare word means a kind with its defaults."""


def spec_model(registry: Registry) -> type[Spec]:
    """The spec with every slot narrowed to a tagged union of the kinds that are installed."""
    plugins = tuple((plugin, plugin.origin) for plugin in registry.plugins.values())
    return _spec_model(_Installed((plugins, tuple(registry.all_kinds()), tuple(registry.recipes)), registry))


@dataclass(frozen=True)
class _Installed:
    """A registry, which equals another one with the same plugins, kinds and recipes."""

    content: tuple[Any, ...]
    registry: Registry = field(compare=False)


@lru_cache(maxsize=16)
def _spec_model(installed: _Installed) -> type[Spec]:
    """The model, built once for the registered plugins, so that specs of one class can be compared."""
    registry = installed.registry
    slots: dict[type, Any] = {base: ForwardRef(_private_name(base)) for base in _ORDER}
    narrowed = {base: [_narrow(kind.config, slots) for kind in registry.of(base).values()] for base in _ORDER}
    slots = {base: _slot(SLOT_NAMES[base], base, configs, registry) for base, configs in narrowed.items()}
    _resolve([config for configs in narrowed.values() for config in configs], slots)
    judges = [_as_discriminator(config) for config in narrowed[NetworkConfig]]
    judge = _slot("discriminator", NetworkConfig, judges, registry) | None
    discriminator = _with_annotation(judge, Spec.__pydantic_fields__["discriminator"])
    fields = _narrow_fields(Spec, slots) | {"discriminator": discriminator}
    model: type[Spec] = _derive("Spec", (Spec,), Spec, **fields)
    return model


def _private_name(base: type[KindConfig]) -> str:
    """The name of a slot while its kinds are narrowed, which may hold kinds of any slot: no plugin's module has it."""
    return f"_allmodes_slot_of_{base.__name__}"


def _resolve(configs: Sequence[Any], slots: Mapping[type[KindConfig], Any]) -> None:
    """Complete narrowed classes, once the slots that their fields name are there."""
    names = {_private_name(base): slot for base, slot in slots.items()}
    for config in configs:
        _complete(config, names)


def _complete(config: Any, names: Mapping[str, Any]) -> None:
    blocks = [block for info in config.__pydantic_fields__.values() for block in blocks_in(info.annotation)]
    for block in blocks:
        if not block.__pydantic_fields_complete__:
            _complete(block, names)
    config.model_rebuild(_types_namespace=names)


def blocks_in(annotation: Any) -> list[Any]:
    """The classes of configs in a type, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return [block for argument in get_args(annotation) for block in blocks_in(argument)]


def _slot(name: str, base: type[KindConfig], configs: Sequence[Any], registry: Registry) -> Any:
    """The type of a slot: one of the installed kinds, picked before its settings are read."""
    choice: Any = configs[0] if configs else base
    if len(configs) > 1:
        choice = Annotated[Union[tuple(configs)], Discriminator("kind")]  # noqa: UP007
    accepts: Any = choice
    if base in _WORDS and configs:
        accepts = Literal[tuple(registry.of(base))] | choice
    if base in GIVEN_CONFIGS:  # for editors, who cannot know which objects of Python will be passed
        own = GIVEN_CONFIGS[base]
        accepts |= _as_discriminator(own) if name == "discriminator" else own
        accepts = accepts | Word if base in _WORDS else accepts
    read = Annotated[choice, BeforeValidator(_pick_by_kind(base, registry), json_schema_input_type=accepts)]
    return TypeAliasType(name, read)  # described once in the schema, by this name


def _pick_by_kind(base: type[KindConfig], registry: Registry) -> Callable[[Any], Any]:
    kinds, slot = registry.of(base), SLOT_NAMES[base]
    # The core's own kinds have no dot: an example that everybody has.
    example = (
        f"such as {{kind: {min(kinds, key=lambda kind: '.' in kind)}}}"
        if kinds
        else "but no installed plugin provides one"
    )

    def pick(value: Any) -> Any:
        value = {"kind": value} if base in _WORDS and isinstance(value, str) else plain(value)
        if not isinstance(value, dict):
            raise _invalid("invalid", f"should be a mapping with the kind of {slot}, {example}, got {short(value)}")
        if "kind" not in value:
            raise _invalid("invalid", f"kind is missing: set the kind of {slot}, {example}")
        kind = value["kind"]
        if not isinstance(kind, str):
            raise _invalid("invalid_kind", f"should be a word, got {short(kind)}")
        if kind not in kinds:
            raise _invalid("invalid_kind", unknown_kind(registry, base, kind))
        return value

    return pick


def _invalid(error: Literal["invalid", "invalid_kind"], message: str) -> PydanticCustomError:
    return PydanticCustomError(error, "{message}", {"message": message})


def _as_discriminator(config: Any) -> Any:
    """A network's config with the options of a discriminator."""
    return _derive(f"{config.__name__}OfDiscriminator", (DiscriminatorOptions, config), config)


def _narrow(config: Any, slots: Mapping[type, Any]) -> Any:
    """A config class whose fields typed by a slot's base accept, and dump, the installed kinds of that slot."""
    fields = _narrow_fields(config, slots)
    return _derive(config.__name__, (config,), config, **fields) if fields else config


def _derive(name: str, bases: tuple[Any, ...], config: Any, **fields: Any) -> Any:
    # The fields have their descriptions; pydantic would look for them in the source of every frame that called this.
    kept = {"use_attribute_docstrings": False}
    named = {"__doc__": config.__doc__, "__module__": config.__module__}
    return create_model(name, __base__=bases, __cls_kwargs__=kept, **named, **fields)


def _narrow_fields(model: type[BaseModel], slots: Mapping[type, Any]) -> dict[str, Any]:
    changed = {name: _replace(field.annotation, slots) for name, field in model.__pydantic_fields__.items()}
    return {
        name: _with_annotation(annotation, model.__pydantic_fields__[name])
        for name, annotation in changed.items()
        if annotation is not model.__pydantic_fields__[name].annotation
    }


def _with_annotation(annotation: Any, field: FieldInfo) -> Any:
    """A field with another annotation; its default is read like a user's value, so that it has the narrowed class."""
    if field.is_required():
        return Annotated[annotation, field], ...
    default = plain(field.get_default(call_default_factory=True))
    if field.default_factory:
        return Annotated[annotation, field], Field(default_factory=lambda: default, validate_default=True)
    return Annotated[annotation, field], Field(default=default, validate_default=True)


def _replace(annotation: Any, slots: Mapping[type, Any]) -> Any:
    if isinstance(annotation, type) and annotation in slots:
        return slots[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Config) and not issubclass(annotation, KindConfig):
        return _narrow(annotation, slots)
    inner = tuple(_replace(argument, slots) for argument in get_args(annotation))
    if all(new is old for new, old in zip(inner, get_args(annotation), strict=True)):
        return annotation
    origin: Any = get_origin(annotation)
    return reduce(or_, inner) if origin in (Union, types.UnionType) else origin[inner]


def plain(value: Any) -> Any:
    """Config objects as plain mappings, so that each is validated against the kinds that are installed."""
    if isinstance(value, BaseModel):
        return value.model_dump(serialize_as_any=True)
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value
