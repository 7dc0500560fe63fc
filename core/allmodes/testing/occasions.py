"""Settings under which a kind of anybody's can be tried: its defaults, and those of the recipes that use it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from allmodes.registry.registry import Registry
from allmodes.registry.slots import Kind
from allmodes.specs import loading
from allmodes.specs.shapes import network_shapes
from allmodes.specs.union import plain
from allmodes_schemas import (
    AuxiliaryConfig,
    DatasetConfig,
    FeatureConfig,
    KindConfig,
    NetworkConfig,
    PriorConfig,
    ReferenceConfig,
    Shape,
    Spec,
    kinds_within,
)

MOST = 3
"""Recipes that a kind is tried in, those with the smallest items first."""
ALONE = (PriorConfig, DatasetConfig, FeatureConfig, ReferenceConfig)
"""Slots whose kinds are tried on the plain data of their contract first."""
SHAPES: tuple[tuple[tuple[Shape, ...], Shape], ...] = (
    (((2,),), (2,)), (((2,),), (1,)), (((16,),), (1, 16, 16)), (((1, 16, 16),), (1,)), (((3, 32, 32),), (1,)),
    (((16,),), (3, 32, 32)),
)  # fmt: skip
"""What a network without a recipe may map."""

Occasion = dict[str, Any]
"""Attributes of a contract: the settings, and what is around them."""


@dataclass(frozen=True)
class Use:
    """A kind as a recipe has it."""

    recipe: str
    spec: Spec
    config: KindConfig

    @property
    def size(self) -> float:
        """Numbers in an item; those of files are unknown, and come last."""
        shape = self.spec.data.shape()
        return math.inf if shape is None else math.prod(shape)


class Recipes:
    """The recipes of a registry, each read once and only when it is looked at."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._specs: dict[str, Spec | None] = {}

    def find(self, kind: Kind) -> list[Use]:
        """The uses of a kind in the recipes of its own plugin; where none uses it, in all recipes."""
        own = [name for name in self.registry.recipes if name.partition("/")[0] == kind.plugin.name]
        found = self._uses(own, kind) or self._uses(list(self.registry.recipes), kind)
        return sorted(found, key=lambda use: use.size)[:MOST]

    def read(self, name: str) -> Spec | None:
        """A recipe, or None where it is not valid: its own contract says why."""
        if name not in self._specs:
            try:
                self._specs[name] = loading.load(name, self.registry)
            except loading.SpecError:
                self._specs[name] = None
        return self._specs[name]

    def _uses(self, names: list[str], kind: Kind) -> list[Use]:
        texts = {name: loading.read_text(self.registry.recipes[name]) for name in names}
        specs = {name: self.read(name) for name, text in texts.items() if kind.name in text}
        return [
            Use(name, spec, config)
            for name, spec in specs.items()
            if spec is not None
            for _, config in kinds_within(spec)
            if config.kind == kind.name
        ]

    @cached_property
    def plain(self) -> list[str]:
        """Recipes of the core with the smallest items, for kinds that no recipe uses."""
        return [name for name in ("gan/ring", "gan/grid") if name in self.registry.recipes]


def find_occasions(kind: Kind, base: type[KindConfig], recipes: Recipes) -> Iterator[Occasion]:
    """The occasions to try a kind, the plainest first: with its defaults, then with a recipe's settings."""
    default, uses = _default(kind), recipes.find(kind)
    if default is not None and base in ALONE:
        yield {"config": default}
    for use in uses:
        for config in (default, _own(use.config, kind)):
            if config is not None and (around := _around(base, use)) is not None and not _misfit(config, around):
                yield {"config": config, **around}
    if default is not None and base not in ALONE:
        yield from ({"config": default, **around} for around in _plain(base, default, recipes))


def list_required(kind: Kind) -> list[str]:
    """The options of a kind that have no default."""
    return [name for name, field in kind.config.model_fields.items() if field.is_required()]


def _default(kind: Kind) -> KindConfig | None:
    try:
        return kind.config.model_validate({})
    except ValidationError:
        return None


def _own(config: KindConfig, kind: Kind) -> KindConfig:
    """The settings as the plugin's class has them: a spec's class knows the kinds within, or is a discriminator's."""
    return kind.config.model_construct(**{name: getattr(config, name) for name in kind.config.model_fields})


def _misfit(config: KindConfig, around: Occasion) -> bool:
    """Whether a network cannot map the shapes that are around it."""
    return isinstance(config, NetworkConfig) and config.misfit(around["sees"], around["gives"]) is not None


def _around(base: type[KindConfig], use: Use) -> Occasion | None:
    """What is around a kind in a recipe; None where that is not known before files are read."""
    shape = use.spec.data.shape()
    if base is DatasetConfig:
        return {}
    if base in ALONE:
        return {"data": plain(use.spec.data)}
    if base is AuxiliaryConfig:
        return None if shape is None else _around_auxiliary(use, shape)
    if base is NetworkConfig:
        return None if shape is None else _around_network(use, shape)
    return {"recipe": use.recipe}


def _around_auxiliary(use: Use, shape: Shape) -> Occasion:
    known = {name: size for name, size in use.spec.prior.parts().items() if size is not None}
    parts = {"code": 2, **known}
    assert isinstance(use.config, AuxiliaryConfig)
    return {"sees": shape if use.config.sees == "data" else (8,), "parts": {use.config.gives: 2, **parts}}


def _around_network(use: Use, shape: Shape) -> Occasion | None:
    for _, network, sees, gives in network_shapes(use.spec, shape):
        if any(config is use.config for _, config in kinds_within(network)):
            return {"sees": sees, "gives": gives}
    return {"sees": (shape,), "gives": (2,)}


def _plain(base: type[KindConfig], default: KindConfig, recipes: Recipes) -> Iterator[Occasion]:
    """What may be around a kind that no recipe uses."""
    if isinstance(default, AuxiliaryConfig):
        yield {"parts": {"code": 2, default.gives: 2}}
    elif isinstance(default, NetworkConfig):
        for sees, gives in SHAPES:
            if default.misfit(sees, gives) is None:
                yield {"sees": sees, "gives": gives}
    else:
        yield from ({"recipe": name} for name in recipes.plain)
