"""Specs with the tested kind at its place, and their compositions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch

from allmodes.data.base import Data
from allmodes.data.batch import Batch
from allmodes.engine.eager import EagerEngine
from allmodes.experiments.batches import make_loader
from allmodes.game import compose as composing
from allmodes.game.composition import Composition
from allmodes.game.noise import Noise, rng
from allmodes.game.step import Draw
from allmodes.registry.registry import Registry
from allmodes.specs import loading
from allmodes.specs.source import override
from allmodes.specs.union import plain
from allmodes.testing.kinds import KindContract
from allmodes.testing.seeds_under_vmap import due
from allmodes_schemas import Spec

SMALL = (
    "training.batch_size=16", "training.device=cpu", "training.precision=float32", "evaluation.samples=64",
    "evaluation.references=[]", "seeds=[0]",
)  # fmt: skip


@dataclass
class ComposedSpec:
    """A checked spec with its data."""

    spec: Spec

    @cached_property
    def data(self) -> Data:
        """Data of the spec, built once."""
        data: Data = self.spec.data.build()
        return data

    def compose(self, seed: int = 0) -> Composition:
        """Compose the spec from a seed, fitted and in training mode."""
        composition = composing.compose(self.spec, self.data, seed)
        for module in composition.modules.values():
            module.train()
        return composition

    def batches(self, seed: int = 0) -> Iterator[Batch]:
        """Draw batches with their streams."""
        return make_loader(self.spec, self.data, seed)

    def draw(self, seed: int = 0) -> Draw:
        """Draw the first batch, and noise."""
        return Draw(next(self.batches(seed)), Noise(self.generator(seed)))

    def generator(self, seed: int = 0) -> torch.Generator:
        """Make the generator of a seed's noise."""
        return rng(seed, "noise")


def take_due_turns(composition: Composition, draw: Draw, iteration: int) -> Composition:
    """Take the turns of an iteration, all on one draw; returns the updated composition."""
    engine = EagerEngine(composition)
    for turn in due(composition, iteration):
        engine.update(turn, draw, iteration)
    return composition


_COMPOSED: dict[type, ComposedSpec] = {}


class ComposedContract(KindContract):
    """Base contract of the kinds that need a whole spec around them.

    Attributes:
        recipe: A recipe in which the kind works.
        spec: A spec, as a mapping, in the place of a recipe.
        overrides: Further settings of the spec, such as `data.root=/data`.
    """

    recipe: ClassVar[str] = ""
    spec: ClassVar[Mapping[str, Any] | None] = None
    overrides: ClassVar[tuple[str, ...]] = ()

    @property
    def composed_spec(self) -> ComposedSpec:
        """The spec with the kind in it, read once for all tests of a class."""
        if type(self) not in _COMPOSED:
            _COMPOSED[type(self)] = ComposedSpec(loading.parse(self.values(), self.registry))
        return _COMPOSED[type(self)]

    def values(self) -> dict[str, Any]:
        """The spec with the kind in it, as plain values."""
        assert self.spec or self.recipe, f"{type(self).__name__}: set `recipe` to one in which {self.name} works"
        return self.within(read_values(self.spec or self.recipe, self.registry, self.overrides))

    def within(self, values: dict[str, Any]) -> dict[str, Any]:
        """Put the settings of the kind into the values of a spec."""
        raise NotImplementedError(f"{type(self).__name__} does not define within(values)")


def read_values(
    reference: str | Mapping[str, Any], registry: Registry, overrides: Iterable[str] = ()
) -> dict[str, Any]:
    """Read a spec by name, or a mapping, as plain values: with small settings, then with overrides."""
    if isinstance(reference, str):
        source = loading.read(*loading.locate(reference, registry))
    else:
        source = loading.SpecSource(plain(reference), "the test's spec")
    source = loading.read(loading.dump(loading.check(source, registry)), source.name)  # every default written out
    for change in (*SMALL, *overrides):
        override(source, change)
    values: dict[str, Any] = plain(source.tree)
    return values
