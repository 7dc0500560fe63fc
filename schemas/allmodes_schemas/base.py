"""Bases of all configs: frozen, strict about unknown keys, picked by kind; and values that change over a run."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from allmodes_schemas.descriptions import DescribedFields

Shape: TypeAlias = tuple[int, ...]
"""Shape of one item without the batch axis: `(2,)` for a point, `(1, 28, 28)` for a grey image."""

Location: TypeAlias = tuple[str | int, ...]
"""A place in a spec: the keys from the top."""

Given: TypeAlias = Mapping[str, Any]
"""Latent parts that a conditional draw holds fixed, by name: `{"mode": 3}`."""


@dataclass(frozen=True)
class Sane:
    """The largest plausible whole number, or `length` of a list, of a field, as an annotation of its type.

    More is refused unless the spec has `large: true`: it is most often a slip, and costs all memory or an endless run.
    The limit of whole numbers with neither this annotation nor an upper bound is a million.
    """

    most: int
    length: int | None = None

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the limit for editors, which do not enforce it."""
        return handler(schema) | ({"sane": self.most} if self.most < ANY else {})


ANY = 2**63
"""The limit of a number that costs nothing, such as an iteration at which something begins."""
Iteration: TypeAlias = Annotated[int, Sane(ANY)]
"""An iteration, or a number of iterations."""


SHAPES: dict[str, str] = {}
"""Descriptions of regular expressions, for messages."""


def worded(pattern: str, words: str) -> str:
    """A regular expression for `Field(pattern=...)`, with the words that messages describe it with."""
    SHAPES[pattern] = words
    return pattern


@dataclass(frozen=True)
class Renamed:
    """An older name of an option or, where `new` is the kind itself, of a kind: still read, with a warning.

    `since` is the version that introduced the new name, `until` the first that will not read the old one.
    """

    old: str
    new: str
    since: str
    until: str

    def message(self, distribution: str) -> str:
        """The warning about the older word, for a kind of that distribution."""
        now = f"{self.old!r} is called {self.new!r} since {distribution} {self.since}"
        return f"{now}, and {self.until} will not read it: write {self.new}"


class Config(BaseModel):
    """Settings that cannot change once checked, refuse unknown keys, and hold finite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    model_fields: ClassVar[DescribedFields] = DescribedFields()

    free: ClassVar[frozenset[str]] = frozenset()
    """Settings that may change when a run is resumed, since they do not decide what is trained."""
    renamed: ClassVar[tuple[Renamed, ...]] = ()
    """Older names that specs may still use."""

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_booleans_as_numbers(cls, values: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        config = read(values)
        for name, value in values.items() if isinstance(values, Mapping) else ():
            if _is_boolean_for_number(value, getattr(config, str(name), None)):
                error = PydanticCustomError("invalid", "should be a number, not yes or no")
                raise ValidationError.from_exception_data(
                    cls.__name__, [{"type": error, "loc": (name,), "input": value}]
                )
        return config

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Add the descriptions of options."""
        described = handler(schema)
        properties = handler.resolve_ref_schema(described).get("properties", {})
        for name, field in cls.model_fields.items():
            if field.description and name in properties:
                properties[name].setdefault("description", field.description)
        return described


def _is_boolean_for_number(given: object, read: object) -> bool:
    """Whether `true` or `false` was converted to 1 or 0."""
    if isinstance(given, list | tuple) and isinstance(read, list | tuple):
        return any(map(_is_boolean_for_number, given, read))
    return isinstance(given, bool) and isinstance(read, int | float) and not isinstance(read, bool)


class KindConfig(Config):
    """A component's settings, picked by `kind`: subclasses declare `kind: Literal["name"] = "name"`."""

    wraps: ClassVar[str] = ""
    """The option that holds a kind of the same slot for which this one stands: what the core asks before torch is
    loaded, and this class does not define, that kind answers. Requirements (`needs`, `check`) of kinds within kinds are
    looked at without it, and what a prior `offers` of the one within it says itself: a truncated density is another."""

    kind: str
    """The word that picks this component."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Pass on to the kind that this one wraps whatever its slot's base answers and this class does not."""
        super().__pydantic_init_subclass__(**kwargs)
        if "wraps" in vars(cls):
            at = cls.__mro__.index(KindConfig) - 1  # of the slot's base
            own = {name for base in cls.__mro__[:at] for name in vars(base)}
            asked = {name for name in vars(cls.__mro__[at]) if not name.startswith(("_", "model_"))}
            for name in asked - own - {"build", "check", "needs", "offers"}:
                setattr(cls, name, property(_Answer(cls.wraps, name)))

    @classmethod
    def kind_name(cls) -> str:
        """The word that picks this component in a spec."""
        return str(cls.__pydantic_fields__["kind"].default)

    @classmethod
    def summary(cls) -> str:
        """First sentence of the docstring, shown by `allmodes plugins`."""
        return (cls.__doc__ or "").strip().split("\n")[0]

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Require `kind` in editors, although Python may omit it."""
        described = super().__get_pydantic_json_schema__(schema, handler)
        target = handler.resolve_ref_schema(described)
        if "kind" in target.get("properties", {}):
            target["required"] = sorted({*target.get("required", []), "kind"})
        return described


@dataclass(frozen=True)
class _Answer:
    """The answer of the kind that a config holds in a field."""

    field: str
    name: str

    def __call__(self, config: KindConfig) -> Any:
        return getattr(getattr(config, self.field), self.name)


def kinds_within(value: object, where: Location = ()) -> Iterator[tuple[Location, KindConfig]]:
    """Every kind in a value, itself included, at any depth, outermost first, with the keys that lead to it."""
    if isinstance(value, KindConfig):
        yield where, value
    if isinstance(value, Config | Mapping):
        entries = value if isinstance(value, Config) else value.items()
        for key, inner in entries:
            yield from kinds_within(inner, (*where, key))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from kinds_within(inner, (*where, i))


class Ramp(Config):
    """A value that moves from `start` to `end` within `over` iterations and then stays."""

    start: float
    """Value at the first iteration."""
    end: float
    """Value from iteration `begin + over` on."""
    over: Iteration = Field(ge=1)
    """How long the change takes, in iterations."""
    begin: Iteration = Field(0, ge=0)
    """Iteration at which the change begins."""
    shape: Literal["linear", "cosine", "exponential"] = "linear"
    """Form of the change; `exponential` multiplies by the same factor each iteration."""

    @model_validator(mode="after")
    def _has_a_factor(self) -> Self:
        if self.shape == "exponential" and self.start * self.end <= 0:
            raise ValueError("an exponential ramp needs start and end of the same sign, neither of them 0")
        return self

    def at(self, iteration: int) -> float:
        """The value at an iteration (counted from 0)."""
        t = min(max(iteration - self.begin, 0) / self.over, 1.0)
        if self.shape == "exponential":
            return float(self.start * (self.end / self.start) ** t)
        t = (1 - math.cos(math.pi * t)) / 2 if self.shape == "cosine" else t
        return self.start + (self.end - self.start) * t


Scheduled: TypeAlias = float | Ramp
"""A number, or a `Ramp` over iterations."""


def at(value: Scheduled, iteration: int) -> float:
    """The number that a scheduled value has at an iteration."""
    return value.at(iteration) if isinstance(value, Ramp) else value


@dataclass(frozen=True)
class Problem:
    """A problem of a spec: where (keys from the top), and what is wrong and how to mend it."""

    where: Location
    what: str
    severity: Literal["error", "warning"] = "error"
