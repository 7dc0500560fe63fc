"""What was measured of which methods on which data: pages of JSON that plugins bring, and the nearest of their data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, log, prod
from pathlib import Path
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from allmodes.registry.registry import Registry
from allmodes.specs import loading
from allmodes.specs.source import SpecError
from allmodes.system import json_pages
from allmodes_schemas import DatasetConfig

WIDTH, WIDTHS = "variance_ratio", (0.8, 1.2)
"""Modes are as wide as the data's where this number, over that of real data, lies within these bounds."""
MODES = "modes"
"""The metric that counts modes: a mean below that of real data says that a seed has lost one."""
SLACK = 1.25
"""A method that took more than so many times what a budget allows is not ordered among those that kept to it.

Time that was measured beforehand is met no better than this.
"""
NEAR = 2.0
"""Data count as like those that were tried while no number is more than so many times as large or small."""


class Page(BaseModel):
    """Base of the parts of a page of evidence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Traits(Page):
    """What is compared of data; None where it is not known.

    Attributes:
        dims: Coordinates of an item; of images, all of their numbers.
        modes: Modes or classes.
        items: Training items.
        weight_ratio: Weight of the commonest mode over that of the rarest.
        width_ratio: Width of the widest mode over that of the narrowest.
        curved: Whether modes lie along curves.
        images: Whether items are images.
    """

    dims: int | None = None
    modes: int | None = None
    items: int | None = None
    weight_ratio: float | None = None
    width_ratio: float | None = None
    curved: bool | None = None
    images: bool | None = None

    def differences(self, other: Traits) -> dict[str, float]:
        """How many times as large each number is as the other's, at least 1; infinite where a yes meets a no.

        What one of them does not know is left out.
        """
        found: dict[str, float] = {}
        for name in type(self).model_fields:
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine is None or theirs is None:
                continue
            if isinstance(mine, bool):
                found[name] = 1.0 if mine == theirs else inf
            else:
                found[name] = max(mine, theirs) / max(1e-9, min(mine, theirs))
        return found


class Number(Page):
    """A metric's mean over seeds with its 95 % interval; None for too few seeds.

    Attributes:
        seeds: How many seeds have the number, where not all that finished do; else None.
    """

    mean: float
    low: float | None = None
    high: float | None = None
    seeds: int | None = None


class Result(Page):
    """A method on data with a budget.

    Attributes:
        data, budget, method: Names; those of data and budgets are keys of the page.
        seeds: Seeds that finished, `of` so many.
        costs: `iterations`, `images` and `cpu_seconds`, means over the seeds.
        numbers: By metric.
        verdicts: `better` or `worse` than the baseline by metric, where a corrected test says so.
        against: `better` or `worse` by the criterion than a sampler without a game, by its row, where a test says so;
            None where there was no such test.
    """

    data: str
    budget: str
    method: str
    seeds: int
    of: int
    costs: Mapping[str, float]
    numbers: Mapping[str, Number]
    verdicts: Mapping[str, str] = {}
    against: Mapping[str, str] | None = None


class Tried(Page):
    """Data that methods were tried on, with the scores of held-out items and of samplers without a game."""

    description: str
    block: Mapping[str, Any]
    traits: Traits
    real: Mapping[str, float] = {}
    references: Mapping[str, Mapping[str, float]] = {}


class Method(Page):
    """A method: its description, what it was told that others were not, the setting that was chosen, and a recipe."""

    description: str
    told: str = ""
    setting: str = ""
    recipe: str = ""


class Evidence(Page):
    """A study: how it was made, on what, and what came out.

    Attributes:
        title: Of the study.
        made: How it was made: command, commit, date, versions.
        criterion: The metric that methods are ordered by, of which less is better.
        baseline: The method that verdicts compare with.
        budgets: What each budget means, by name.
        limits: What a budget allows of a cost, by the names of both.
        not_tried: What the study says nothing about.
    """

    title: str
    made: Mapping[str, str]
    criterion: str
    baseline: str
    budgets: Mapping[str, str]
    limits: Mapping[str, Mapping[str, float]] = {}
    not_tried: tuple[str, ...]
    methods: Mapping[str, Method]
    data: Mapping[str, Tried]
    results: tuple[Result, ...]

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        """Every result is of data, a budget and a method of this page, and there are data to be near to."""
        if not self.data:
            raise ValueError("there are no data")
        for one in self.results:
            known = {"data": self.data, "budget": self.budgets, "method": self.methods}
            for what, names in known.items():
                if (name := getattr(one, what)) not in names:
                    raise ValueError(f"a result names the {what} {name!r}, which the page does not describe")
        return self

    def ranking(self, data: str, budget: str) -> list[Result]:
        """The methods on data with a budget, best first; without those that have no number, or took more.

        First come those that have every mode, as wide as the data's, then those that lack one of both: a distance alone
        rewards modes that are too narrow, and hardly sees a rare one that is missing.
        """
        found = [one for one in self._results(data, budget) if self.criterion in one.numbers]
        return sorted((one for one in found if self.keeps_to_budget(one)), key=self._score)

    def unranked(self, data: str, budget: str) -> list[Result]:
        """The methods on data with a budget that have no number to be ordered by, in the order of the page."""
        return [one for one in self._results(data, budget) if self.criterion not in one.numbers]

    def beyond(self, data: str, budget: str) -> list[Result]:
        """The methods on data that took more than the budget, in the order of the page."""
        return [one for one in self._results(data, budget) if not self.keeps_to_budget(one)]

    def keeps_to_budget(self, result: Result) -> bool:
        """Whether a method took no more than its budget allows, but for a quarter."""
        limits = self.limits.get(result.budget, {})
        return all(result.costs.get(cost, 0.0) <= SLACK * limit for cost, limit in limits.items())

    def lacks(self, result: Result) -> list[str]:
        """What a method lacks of the data's `modes` and their `widths`: neither where real data have no number."""
        means = {key: number.mean for key, number in result.numbers.items()}
        return lacks(means, self.data[result.data].real)

    def _results(self, data: str, budget: str) -> list[Result]:
        return [one for one in self.results if (one.data, one.budget) == (data, budget)]

    def nearest(self, traits: Traits) -> tuple[str, dict[str, float]]:
        """The data that differ least, by the sum of the logarithms of all differences, and how they differ."""
        each = {name: traits.differences(tried.traits) for name, tried in self.data.items()}
        return min(each.items(), key=lambda one: sum(log(min(factor, 1e6)) for factor in one[1].values()))

    def _score(self, result: Result) -> tuple[int, float]:
        return len(self.lacks(result)), result.numbers[self.criterion].mean


def lacks(numbers: Mapping[str, float], real: Mapping[str, float]) -> list[str]:
    """What mean numbers lack beside those of real data: `modes`, and `widths`, also where that was withheld."""
    missing = {
        "modes": MODES in real and numbers.get(MODES, 0.0) < real[MODES],
        "widths": WIDTH in real and not WIDTHS[0] <= numbers.get(WIDTH, 0.0) / real[WIDTH] <= WIDTHS[1],
    }
    return [name for name, is_missing in missing.items() if is_missing]


@dataclass(frozen=True)
class Source:
    """A page of evidence, and the name that it has in the registry: `<plugin>/<study>`."""

    name: str
    evidence: Evidence


def read_all(registry: Registry) -> list[Source]:
    """Read the evidence of all installed plugins. Raises SpecError where there is none, or a page is damaged."""
    if not registry.evidence:
        raise SpecError("no installed plugin has evidence of methods: install one that has, such as allmodes-study")
    return [Source(name, _read(path)) for name, path in registry.evidence.items()]


def _read(path: Path) -> Evidence:
    try:
        return json_pages.read(path, Evidence)
    except json_pages.PageError as error:
        raise SpecError(f"{error}: it is evidence of an installed plugin: install that again") from error


def _data_of(reference: str, registry: Registry) -> DatasetConfig:
    """The config of data: that of a spec or a recipe, or a kind with its defaults."""
    if (kind := registry.of(DatasetConfig).get(reference)) is None:
        return loading.load(reference, registry, ()).data
    try:
        return cast("DatasetConfig", kind.config.model_validate({"kind": reference}))
    except ValidationError as error:
        raise SpecError(f"{reference}: this kind of data needs options: give a spec that has them") from error


def traits_of(reference: str, registry: Registry) -> Traits:
    """What is known, without torch or files, of the data of a spec, a recipe or a kind of data."""
    data = _data_of(reference, registry)
    shape = data.shape()
    weights = getattr(data, "mode_weights", lambda: None)()
    stds = getattr(data, "std", None)
    return Traits(
        dims=prod(shape) if shape else None,
        modes=data.classes(),
        items=getattr(data, "items", None),
        weight_ratio=max(weights) / min(weights) if weights and min(weights) > 0 else None,
        width_ratio=max(stds) / min(stds) if isinstance(stds, tuple) and stds else getattr(data, "width_ratio", None),
        images=len(shape) == 3 if shape else None,
    )
