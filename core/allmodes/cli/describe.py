"""Descriptions of kinds, from their configs alone: requirements, provisions and options."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from allmodes.registry.slots import SLOT_NAMES
from allmodes.specs.kinds import declared
from allmodes.specs.players import players_of, turns_of
from allmodes_schemas import (
    AuxiliaryConfig,
    DatasetConfig,
    KindConfig,
    LossTermConfig,
    Need,
    PlayerConfig,
    PriorConfig,
    Spec,
    TurnConfig,
)

BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
TYPES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "none"}


@dataclass(frozen=True)
class Option:
    """An option of a config: its name, type and default in words, and its meaning."""

    name: str
    type: str
    default: str
    meaning: str


def _name_block(model: str) -> str:
    slots = {base.__name__: f"any {name}" for base, name in SLOT_NAMES.items()}
    return slots.get(model, model.lower())


def list_options(
    model: type[BaseModel], quoted: Callable[[str], str] = str, link: Callable[[str], str] = _name_block
) -> list[Option]:
    """List the options of a block, without its kind; `quoted` marks values, `link` names the blocks of other types."""
    schema = model.model_json_schema()
    name = str(schema.get("$ref", "")).rpartition("/")[2]  # of a block that may hold its own kind
    properties = schema["$defs"][name]["properties"] if name else schema["properties"]
    describer = _TypeDescriber(quoted, link)
    return [
        Option(name, describer.type_of(properties[name]), describer.default(model, name), _meaning(field))
        for name, field in model.model_fields.items()
        if name != "kind"
    ]


def _meaning(field: FieldInfo) -> str:
    """Return the description of an option, marked if it is deprecated."""
    return f"{'Deprecated. ' if field.deprecated else ''}{field.description or ''}"


@dataclass(frozen=True)
class _TypeDescriber:
    quoted: Callable[[str], str]
    link: Callable[[str], str]

    def type_of(self, schema: Mapping[str, Any]) -> str:
        """Describe a type with its unit, from its JSON Schema."""
        unit = f", in {schema['unit']}" if "unit" in schema else ""
        return self._type(schema) + unit

    def default(self, model: type[BaseModel], name: str) -> str:
        """Describe the default of an option."""
        field = model.model_fields[name]
        if field.is_required():
            return "required"
        default = format_value(field.get_default(call_default_factory=True))
        return self.quoted(default) if default else "empty"

    def _type(self, schema: Mapping[str, Any]) -> str:
        if "$ref" in schema:
            return self.link(str(schema["$ref"]).rpartition("/")[2])
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return " or ".join(dict.fromkeys(self._type(branch) for branch in schema[union]))
        if "enum" in schema or "const" in schema:
            return ", ".join(self.quoted(str(value)) for value in schema.get("enum", [schema.get("const")]))
        if schema.get("type") == "array":
            return self._list(schema)
        if schema.get("type") == "object":
            values: Mapping[str, Any] = schema.get("additionalProperties") or next(
                iter(schema.get("patternProperties", {}).values()), {}
            )
            return f"mapping of names to {_plural(self._type(values))}"
        return " ".join([TYPES.get(schema.get("type", ""), "anything"), ", ".join(_limits(schema))]).strip()

    def _list(self, schema: Mapping[str, Any]) -> str:
        if "prefixItems" in schema:
            return f"[{', '.join(self._type(item) for item in schema['prefixItems'])}]"
        return ", ".join([f"list of {_plural(self._type(schema.get('items', {})))}", *_limits(schema)])


def _limits(schema: Mapping[str, Any]) -> list[str]:
    bounds = [f"{sign} {schema[key]:g}" for key, sign in BOUNDS.items() if abs(schema.get(key, 2**60)) < 2**60]
    return bounds + ([f"≤ {schema['sane']:,} unless `large`"] if "sane" in schema else [])


def _plural(words: str) -> str:
    """Put the words of a type in the plural."""
    return re.sub(r"^(whole number|number|text|list)\b", r"\1s", words)


def format_value(value: Any) -> str:
    """Format a value as YAML on one line; of a config only options that differ from their defaults."""
    match value:
        case BaseModel():
            kind = {"kind": value.kind} if isinstance(value, KindConfig) else {}
            return format_value(kind | {name: getattr(value, name) for name in _changed_options(value)})
        case Mapping():
            return "{" + ", ".join(f"{key}: {format_value(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(format_value, value)) + "]"
        case bool():
            return str(value).lower()
        case None:
            return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _changed_options(value: BaseModel) -> list[str]:
    fields = type(value).model_fields.items()
    return [name for name, field in fields if name != "kind" and getattr(value, name) != field.get_default()]


def list_requirements(config: type[KindConfig]) -> list[str]:
    """List what a spec with this kind must have, each with the line that adds it."""
    needs: tuple[Need, ...] = declared(config, "needs", ())
    return [_describe_need(need) for need in needs] + list(_wrapped(config))


def _wrapped(config: type[KindConfig]) -> Iterator[str]:
    if config.wraps and hasattr(config, "needs"):
        yield f"whatever its {config.wraps} requires"


def list_provisions(config: type[KindConfig]) -> list[str]:
    """List what a kind with its defaults adds to a spec."""
    try:
        return list(_provisions(config.model_validate({})))
    except ValidationError:  # an option without a default
        return []


def list_turns(spec: Spec) -> list[str]:
    """List the turns with their players, modules and optimisers, as comments of YAML."""
    players = players_of(spec)
    return [
        f"#   {_describe_turn(turn)}: {_describe_player(players[name])}"
        for turn in turns_of(spec, players)
        for name in turn.players
    ]


def _describe_turn(turn: TurnConfig) -> str:
    several = f"{turn.times} times" if turn.times > 1 else "once"
    return several if turn.every == 1 else f"{several} in {turn.every} iterations"


def _describe_need(need: Need) -> str:
    requirement = {
        "auxiliary": f"an auxiliary that maps data to {need.what}" + (f" as {need.form}" if need.form else ""),
        "part": f"a prior with the part {need.what}",
        "prior": f"a prior that offers {need.what}",
        "discriminator": "a discriminator",
        "labels": "data with labels",
        "truth": "data whose modes are known",
        "joint": "a discriminator with joint",
        "stream": "a stream of labelled items",
    }[need.slot]
    return f"{requirement}: {need.remedy}" if need.remedy else requirement


def _provisions(config: KindConfig) -> Iterator[str]:
    match config:
        case PriorConfig():
            parts = ", ".join(f"{name} ({size or 'fitted'})" for name, size in config.parts().items())
            yield f"latent parts {parts}{_trainers(config.trained_by)}"
            yield from config.offers
        case AuxiliaryConfig():
            form = f" as {config.form}" if config.form else ""
            yield f"maps {config.sees} to {config.gives}{form}{_trainers(config.trained_by)}"
        case LossTermConfig():
            yield from ["the game"] if config.is_game else []
            yield from map(_describe_player, config.players())
        case DatasetConfig():
            yield from _data_provisions(config)


def _describe_player(player: PlayerConfig) -> str:
    own = f" with {format_value(player.optimizer)}" if player.optimizer else ""
    return f"player {player.name}, which trains {' and '.join(player.modules)}{own}"


def _data_provisions(config: DatasetConfig) -> Iterator[str]:
    if shape := config.shape():
        yield f"items of shape {' x '.join(map(str, shape))}"
    if classes := config.classes():
        yield f"labels, {classes}"
    if config.known_modes():
        yield "known modes"


def _trainers(players: tuple[str, ...]) -> str:
    return f", trained by {' and '.join(players)}" if players else ""
