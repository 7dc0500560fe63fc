"""What a kind needs, what it brings and what may be set, in words, from its config alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

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
    """Something that may be set: its name, type and default in words, and what it means."""

    name: str
    type: str
    default: str
    meaning: str


def options(
    model: type[BaseModel], quoted: Callable[[str], str] = str, link: Callable[[str], str] = str.lower
) -> list[Option]:
    """What may be set in a block, but for its kind; `quoted` marks values, `link` names the blocks of other types."""
    properties = model.model_json_schema()["properties"]
    words = _Words(quoted, link)
    return [
        Option(name, words.kind(properties[name]), words.default(model, name), _meaning(field))
        for name, field in model.model_fields.items()
        if name != "kind"
    ]


def _meaning(field: FieldInfo) -> str:
    """What an option is for; one on its way out says so first."""
    return f"{'Deprecated. ' if field.deprecated else ''}{field.description or ''}"


@dataclass(frozen=True)
class _Words:
    quoted: Callable[[str], str]
    link: Callable[[str], str]

    def kind(self, schema: Mapping[str, Any]) -> str:
        """A type, from its JSON Schema."""
        unit = f", in {schema['unit']}" if "unit" in schema else ""
        return self._type(schema) + unit

    def default(self, model: type[BaseModel], name: str) -> str:
        """What holds where nothing is set."""
        field = model.model_fields[name]
        if field.is_required():
            return "required"
        shown = flow(field.get_default(call_default_factory=True))
        return self.quoted(shown) if shown else "empty"

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
            return f"mapping of names to {_several(self._type(values))}"
        return " ".join([TYPES.get(schema.get("type", ""), "anything"), ", ".join(_limits(schema))]).strip()

    def _list(self, schema: Mapping[str, Any]) -> str:
        if "prefixItems" in schema:
            return f"[{', '.join(self._type(item) for item in schema['prefixItems'])}]"
        return ", ".join([f"list of {_several(self._type(schema.get('items', {})))}", *_limits(schema)])


def _limits(schema: Mapping[str, Any]) -> list[str]:
    bounds = [f"{sign} {schema[key]:g}" for key, sign in BOUNDS.items() if abs(schema.get(key, 2**60)) < 2**60]
    return bounds + ([f"≤ {schema['sane']:,} unless `large`"] if "sane" in schema else [])


def _several(words: str) -> str:
    """A type's words in the plural."""
    return re.sub(r"^(whole number|number|text|list)\b", r"\1s", words)


def flow(value: Any) -> str:
    """A value as YAML on one line; of a config only what differs from its own defaults."""
    match value:
        case BaseModel():
            kind = {"kind": value.kind} if isinstance(value, KindConfig) else {}
            return flow(kind | {name: getattr(value, name) for name in _changed(value)})
        case Mapping():
            return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(flow, value)) + "]"
        case bool():
            return str(value).lower()
        case None:
            return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _changed(value: BaseModel) -> list[str]:
    fields = type(value).model_fields.items()
    return [name for name, field in fields if name != "kind" and getattr(value, name) != field.get_default()]


def requires(config: type[KindConfig]) -> list[str]:
    """What a spec must have for this kind to make sense, and the line that adds it."""
    return [_need(need) for need in getattr(config, "needs", ())]


def provides(config: type[KindConfig]) -> list[str]:
    """What others find in a spec with this kind, with the kind's defaults."""
    try:
        return list(_provided(config.model_validate({})))
    except ValidationError:  # an option without a default
        return []


def turns(spec: Spec) -> list[str]:
    """Who trains what with which optimiser, turn by turn, as comments of YAML."""
    players = players_of(spec)
    return [f"#   {_turn(turn)}: {_player(players[name])}" for turn in turns_of(spec, players) for name in turn.players]


def _turn(turn: TurnConfig) -> str:
    several = f"{turn.times} times" if turn.times > 1 else "once"
    return several if turn.every == 1 else f"{several} in {turn.every} iterations"


def _need(need: Need) -> str:
    what = {
        "auxiliary": f"an auxiliary that maps data to {need.what}",
        "part": f"a prior with the part {need.what}",
        "labels": "data with labels",
        "truth": "data whose modes are known",
        "joint": "a discriminator with joint",
        "stream": "a stream of labelled items",
    }[need.slot]
    return f"{what}: {need.remedy}" if need.remedy else what


def _provided(config: KindConfig) -> Iterator[str]:
    match config:
        case PriorConfig():
            parts = ", ".join(f"{name} ({size or 'fitted'})" for name, size in config.parts().items())
            yield f"latent parts {parts}{_trained(config.trained_by)}"
        case AuxiliaryConfig():
            yield f"maps {config.sees} to {config.gives}{_trained(config.trained_by)}"
        case LossTermConfig():
            yield from ["the game"] if config.is_game else []
            yield from map(_player, config.players())
        case DatasetConfig():
            yield from _of_data(config)


def _player(player: PlayerConfig) -> str:
    own = f" with {flow(player.optimizer)}" if player.optimizer else ""
    return f"player {player.name}, which trains {' and '.join(player.modules)}{own}"


def _of_data(config: DatasetConfig) -> Iterator[str]:
    if shape := config.shape():
        yield f"items of shape {' x '.join(map(str, shape))}"
    if classes := config.classes():
        yield f"labels, {classes}"
    if config.known_modes():
        yield "known modes"


def _trained(players: tuple[str, ...]) -> str:
    return f", trained by {' and '.join(players)}" if players else ""
