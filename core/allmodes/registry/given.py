"""Kinds that stand for objects of Python, which a spec names `python:name` and cannot hold. Loads no torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from reprlib import repr as short
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, JsonValue, create_model
from typing_extensions import override

from allmodes.registry.registry import Registry
from allmodes.registry.slots import Kind, Plugin
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import (
    Key,
    KindConfig,
    LossTermConfig,
    MetricConfig,
    NetworkConfig,
    Problem,
    Spec,
    kinds_within,
)

PREFIX = "python:"
KEYWORDS: Mapping[type[KindConfig], str] = {
    NetworkConfig: "networks",
    LossTermConfig: "losses",
    MetricConfig: "metrics",
}
"""By base of a slot's configs, the keyword argument that such objects are passed as."""
NAME = re.compile("[A-Za-z][A-Za-z0-9_]*")
Word: TypeAlias = Annotated[str, Field(pattern=f"^{PREFIX}{NAME.pattern}$")]
"""The kind of an object, for editors, who cannot know the names."""
COMMAND = "allmodes new-plugin NAME"
OURS = Plugin("python", "python", "")
"""What provides objects of Python, in the place of a plugin."""


class AbsentError(ValueError):
    """An object of Python that a spec names and that was not passed."""


@dataclass(frozen=True)
class Given:
    """An object from Python, as a kind builds from it.

    Attributes:
        build: From the kind's settings and the arguments of its `build` to the component.
        what: The object in a message: `class Net`.
        is_game: Whether it is a loss that is the adversarial one.
    """

    build: Callable[..., Any]
    what: str
    is_game: bool = False


class GivenNetworkConfig(NetworkConfig):
    """A network from Python."""

    given: ClassVar[Given | None] = None
    whose: ClassVar[str] = ""
    kind: Word
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Arguments by name of the class or function that makes it."""

    @override
    def build(self, sees: Any, gives: Any) -> Any:
        return build_given(self, sees, gives)


class GivenLossConfig(LossTermConfig):
    """A loss from Python."""

    given: ClassVar[Given | None] = None
    whose: ClassVar[str] = ""
    kind: Word
    player: str = "generator"
    """The player that it serves, unless it is a game."""
    game: bool = False
    """Whether it is the adversarial loss."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Further arguments of the function, by name."""

    @property
    def is_game(self) -> bool:  # type: ignore[override]
        """As the spec says."""
        return self.game

    @property
    @override
    def serves(self) -> tuple[str, ...]:
        return ("discriminator", "generator") if self.game else (self.player,)

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        if self.given is not None and self.given.is_game != self.game:
            place = ("losses", [term is self for term in spec.losses].index(True), "game")
            is_one = "is a game" if self.given.is_game else "is no game"
            yield Problem(place, f"{self.given.what} {is_one}: leave game out")
        elif self.game and self.player != "generator":
            place = ("losses", [term is self for term in spec.losses].index(True), "player")
            yield Problem(place, "is a game, of both players: leave player out")

    @override
    def build(self) -> Any:
        return build_given(self)


class GivenMetricConfig(MetricConfig):
    """A metric from Python."""

    given: ClassVar[Given | None] = None
    whose: ClassVar[str] = ""
    kind: Word
    better: Literal["higher", "lower"] | None = None
    """Which values of its one number are good."""
    keys: dict[str, Key] = Field(default_factory=dict)
    """How its numbers are read and shown, by name."""
    options: dict[str, JsonValue] = Field(default_factory=dict)
    """Further arguments of the function, by name."""

    @override
    def title(self) -> str:
        return name_of(self.kind)

    @override
    def numbers(self) -> Mapping[str, Key]:
        own = {self.title(): Key(better=self.better)} if self.better else {}
        return {**own, **self.keys}

    @override
    def build(self) -> Any:
        return build_given(self)


GIVEN_CONFIGS: Mapping[type[KindConfig], Any] = {
    NetworkConfig: GivenNetworkConfig,
    LossTermConfig: GivenLossConfig,
    MetricConfig: GivenMetricConfig,
}


def words_for(thing: object) -> str:
    """An object in a message: `class Net`, `function energy`, `module Net`, or another object by its class."""
    if isinstance(thing, type):
        return f"class {thing.__name__}"
    if isinstance(thing, Mapping):
        return "pair of functions"
    if name := getattr(thing, "__name__", ""):
        return f"function {name}"
    return f"{'module' if hasattr(thing, 'named_modules') else 'object'} {type(thing).__name__}"


def name_kind(thing: object) -> str:
    """What was passed in the place of an object, in a message: a plain value itself, anything else by its class."""
    return short(thing) if isinstance(thing, str | int | float | type(None)) else f"a {type(thing).__name__}"


def is_given(kind: str) -> bool:
    """Whether a kind stands for an object of Python."""
    return kind.startswith(PREFIX)


def name_of(kind: str) -> str:
    """The name of an object by its kind; any other kind as it is."""
    return kind.removeprefix(PREFIX)


def given_in(value: object, absent: bool = False) -> dict[str, list[str]]:
    """The names of the objects of Python that a spec names, or of those that were not passed, by keyword argument."""
    found: dict[str, list[str]] = {}
    for _, config in kinds_within(value):
        if is_given(config.kind) and not (absent and getattr(config, "given", None)):
            base = next(base for base in KEYWORDS if isinstance(config, base))
            names = found.setdefault(KEYWORDS[base], [])
            names += [name] if (name := name_of(config.kind)) not in names else []
    return found


def show_arguments(names: Mapping[str, Collection[str]]) -> str:
    """Objects by keyword argument as they are passed: `networks={'mine': ...}, losses={'own': ...}`."""
    listed = {keyword: ", ".join(f"{name!r}: ..." for name in inside) for keyword, inside in names.items()}
    return ", ".join(f"{keyword}={{{inside}}}" for keyword, inside in listed.items())


def with_given(registry: Registry, objects: Mapping[type[KindConfig], Mapping[str, Given | None]]) -> Registry:
    """A registry that has objects of Python, too, by base and name; those that are None can be read and not built."""
    made = {
        base: {PREFIX + name: Kind(_make_config(base, PREFIX + name, given), OURS) for name, given in inside.items()}
        for base, inside in objects.items()
    }
    return registry.with_kinds({base: kinds for base, kinds in made.items() if kinds})


def with_absent(registry: Registry, words: Iterable[str]) -> Registry:
    """A registry in which every object of Python among the words of a spec can be read, though it was not passed."""
    names = {name_of(word) for word in words if is_given(word) and NAME.fullmatch(name_of(word))}
    absent = {base: dict.fromkeys(sorted(names - _names(registry, base))) for base in KEYWORDS}
    return with_given(registry, absent) if names else registry


def build_given(config: Any, *arguments: Any) -> Any:
    """What a kind builds from its object; raises AbsentError where that was not passed."""
    if config.given is None:
        base = next(base for base in KEYWORDS if isinstance(config, base))
        raise AbsentError(f"{config.kind} {_remedy(base, name_of(config.kind))}")
    return config.given.build(config, *arguments)


def unknown_object(registry: Registry, base: type[KindConfig] | None, kind: str) -> str:
    """The error message for an object of Python that was not passed."""
    name, hint = name_of(kind), ""
    if not NAME.fullmatch(name):
        return f"{kind!r} names no object of Python: write {PREFIX} and a name of letters, digits and _"
    if base is not None and base not in KEYWORDS:
        what = "an object of Python may be a network, a loss or a metric"
        return f"{kind!r}: {what}: make yours a kind of a plugin: {COMMAND}"
    if base is not None:
        hint = did_you_mean(kind, [PREFIX + known for known in _names(registry, base)])
    return f"{kind!r}{hint} {_remedy(base or NetworkConfig, name)}"


def _remedy(base: type[KindConfig], name: str) -> str:
    keyword = KEYWORDS[base]
    doors = ", Experiment.resume or load_run" if keyword == "networks" else " or Experiment.resume"
    passed = f"pass {show_arguments({keyword: [name]})} to Experiment.from_recipe{doors}"
    return f"is an object of Python, which no file holds: {passed}, or make it a kind: {COMMAND} --from FILE.py"


def _names(registry: Registry, base: type[KindConfig]) -> set[str]:
    return {name_of(kind) for kind in registry.of(base) if is_given(kind)}


def _make_config(base: type[KindConfig], kind: str, given: Given | None) -> type[KindConfig]:
    """The class of settings that stand for one object."""
    fields: dict[str, Any] = {"kind": (Literal[kind], kind)}
    if base is LossTermConfig and given is not None:
        fields["game"] = (bool, given.is_game)
    kept = {"use_attribute_docstrings": False}
    above = GIVEN_CONFIGS[base]
    make: Any = create_model
    config = make(above.__name__, __base__=above, __module__=__name__, __cls_kwargs__=kept, **fields)
    config.given, config.whose = given, f"your {given.what}" if given else "an object of Python"
    made: type[KindConfig] = config
    return made


__all__ = [
    "GIVEN_CONFIGS",
    "KEYWORDS",
    "NAME",
    "AbsentError",
    "Given",
    "given_in",
    "is_given",
    "name_kind",
    "name_of",
    "show_arguments",
    "unknown_object",
    "with_absent",
    "with_given",
    "words_for",
]
