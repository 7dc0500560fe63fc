"""Parts of a composition that act: rules after an update, and fits before training and again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from reprlib import repr as short
from typing import Any, NamedTuple

import torch
from torch import nn

from allmodes.data.base import Data
from allmodes.game.contracts import Fitting, Functions, Part, Prior
from allmodes.game.noise import Noise, rng
from allmodes.game.samplers import Sampler
from allmodes.game.sampling import eval_mode
from allmodes.game.step import Step
from allmodes.game.untouched import Untouched
from allmodes.registry.faults import FAULTS, ContractError, calling, fail
from allmodes.text.suggest import did_you_mean


class Place(NamedTuple):
    """Where a part lies: the name of its module, and the path within, empty for the module itself."""

    module: str
    path: str

    @property
    def term(self) -> str | None:
        """The loss term in which the part lies, if it lies in one."""
        return self.module.removeprefix("losses/") if self.module.startswith("losses/") else None

    def __str__(self) -> str:
        return f"{self.module}.{self.path}" if self.path else self.module


class Rule(NamedTuple):
    """A part that acts after updates of the players that it follows; a loss term's while the term counts."""

    place: Place
    follows: tuple[str, ...]
    changes: tuple[str, ...]

    def applies(self, players: Collection[str], weights: Collection[str]) -> bool:
        """Whether it acts after an update of these players, while the terms with these weights count."""
        counts = self.place.term is None or self.place.term in weights
        return counts and any(player in players for player in self.follows)


def find_rules(
    modules: Mapping[str, nn.Module], owners: Mapping[str, Collection[str]], players: Collection[str]
) -> Iterator[Rule]:
    """The rules of all parts; `owners` are the players that train each module or, of a term, that it serves.

    Raises ValueError where one follows no player, or names a player or module that does not exist.
    """
    for place, part in find_parts(modules):
        if part.acts and (part.follows or owners[place.module] or not place.path):
            rule = Rule(place, part.follows or tuple(owners[place.module]), part.changes)
            with calling(f"part {place}", part):
                _check(rule, players, modules)
            yield rule


def find_parts(modules: Mapping[str, nn.Module]) -> Iterator[tuple[Place, Part]]:
    """All parts within modules, with their places."""
    for name, module in modules.items():
        yield from ((Place(name, path), inner) for path, inner in module.named_modules() if isinstance(inner, Part))


def check_refits(modules: Mapping[str, nn.Module]) -> None:
    """Raise ContractError where a part is to be fitted again after what is no number of iterations."""
    for place, part in find_parts(modules):
        every: Any = part.refit
        if every is not None and (type(every) is not int or every < 1):
            with calling(f"part {place}", part):
                raise ContractError(f"its refit is {short(every)}: set a number of iterations from 1 on, or None")


@torch.no_grad()
def act(step: Step, rules: Iterable[Rule]) -> None:
    """Let parts act after the update that a step's losses gave."""
    step.settle()
    for rule in rules:
        step.forward.term[0] = rule.place.term or str(rule.place)
        try:
            step.forward.act(*rule.place, step)
        except FAULTS as error:
            fail(error, f"after_update of {rule.place}", step.context.networks.code_of(*rule.place))


@torch.no_grad()
def fit(place: object, part: Part, fitting: Fitting) -> None:
    """Fit the part at a place to the data, all modules in evaluation mode."""
    with calling(f"fit of {place}", part), eval_mode(part, *fitting.modules.values()):
        part.fit(fitting)


def fit_sampler(modules: Mapping[str, nn.Module], data: Data, seed: int, iteration: int) -> None:
    """Fit the sampler among modules, if there is one, to the model that they are after a number of iterations.

    Raises ContractError where the fit changes more than the sampler; that is put back.
    """
    if isinstance(sampler := modules.get("sampler"), Sampler):
        others = {name: module for name, module in modules.items() if name != "sampler"}
        untouched = Untouched("a sampler only reads", others, data)
        noise = Noise(rng(seed, f"fit/sampler/{iteration}", data.device))
        prior = modules["prior"]
        assert isinstance(prior, Prior)
        fitting = Fitting(data, noise, prior, modules["generator"], modules=dict(modules), iteration=iteration)
        with calling("fit of sampler", sampler), untouched.kept():
            fit("sampler", sampler, fitting)


@dataclass
class Refits:
    """The parts of a run that are fitted again; their noise comes from the seed, place and iteration alone."""

    modules: Mapping[str, nn.Module]
    data: Data
    seed: int
    functions: Functions = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.due = [(place, part, part.refit) for place, part in find_parts(self.modules) if part.refit is not None]

    def fit(self, iteration: int) -> bool:
        """Fit the parts that are due after a number of iterations; returns whether there were any."""
        due = [(place, part) for place, part, every in self.due if iteration % every == 0]
        for place, part in due:
            fit(place, part, self._fitting(place, iteration))
        return bool(due)

    def _fitting(self, place: Place, iteration: int) -> Fitting:
        noise = Noise(rng(self.seed, f"fit/{place}/{iteration}", self.data.device))
        prior = self.modules["prior"]
        assert isinstance(prior, Prior)
        return Fitting(self.data, noise, prior, self.modules["generator"], self.functions, self.modules, iteration)


def _check(rule: Rule, players: Collection[str], modules: Collection[str]) -> None:
    for name, words in (("follows", rule.follows), ("changes", rule.changes)):
        if not isinstance(words, tuple | list):
            raise ContractError(f"its {name} is {short(words)}: set a tuple of names")
    if not rule.follows:
        raise ValueError(f"{rule.place} acts after updates, but no player trains it: name players in `follows`")
    for player in rule.follows:
        if player not in players:
            hint = did_you_mean(player, players)
            raise ValueError(f"{rule.place} follows player {player!r}, which does not exist{hint}")
    for name in rule.changes:
        if name not in modules:
            raise ValueError(f"{rule.place} changes {name!r}, which is no module{did_you_mean(name, modules)}")
