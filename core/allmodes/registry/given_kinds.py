"""The kinds that stand for objects of Python: what a spec may say of them, and building from them. Loads no torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, JsonValue
from typing_extensions import override

from allmodes_schemas import Key, KindConfig, LossTermConfig, MetricConfig, NetworkConfig, Problem, Spec

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


def is_given(kind: str) -> bool:
    """Whether a kind stands for an object of Python."""
    return kind.startswith(PREFIX)


def name_of(kind: str) -> str:
    """The name of an object by its kind; any other kind as it is."""
    return kind.removeprefix(PREFIX)


def show_arguments(names: Mapping[str, Collection[str]]) -> str:
    """Objects by keyword argument as they are passed: `networks={'mine': ...}, losses={'own': ...}`."""
    listed = {keyword: ", ".join(f"{name!r}: ..." for name in inside) for keyword, inside in names.items()}
    return ", ".join(f"{keyword}={{{inside}}}" for keyword, inside in listed.items())


def build_given(config: Any, *arguments: Any) -> Any:
    """What a kind builds from its object; raises AbsentError where that was not passed."""
    if config.given is None:
        base = next(base for base in KEYWORDS if isinstance(config, base))
        raise AbsentError(f"{config.kind} {remedy(base, name_of(config.kind))}")
    return config.given.build(config, *arguments)


def remedy(base: type[KindConfig], name: str) -> str:
    """What to do about an object that was not passed: how to pass it, and how to do without."""
    keyword = KEYWORDS[base]
    doors = ", Experiment.resume or load_run" if keyword == "networks" else " or Experiment.resume"
    passed = f"pass {show_arguments({keyword: [name]})} to Experiment.from_recipe{doors}"
    return f"is an object of Python, which no file holds: {passed}, or make it a kind: {COMMAND} --from FILE.py"
