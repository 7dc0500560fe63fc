"""How much of everything: seeds, trials and budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

from allmodes_study.honest.datasets import DATA, Dataset
from allmodes_study.honest.methods import METHODS, Method

BASELINE = "gan"
POINTS = 4
"""Points of a curve, of which iterations are a multiple; w1 has half as many."""


@dataclass(frozen=True)
class Trial:
    """One setting of the search: the learning rate of every player, and Adam's decay of the first moment."""

    lr: float
    beta: float

    @property
    def name(self) -> str:
        """Such as `lr-0.001-beta-0.5`."""
        return f"lr-{self.lr:g}-beta-{self.beta:g}"


@dataclass(frozen=True)
class Plan:
    """The extent of a study.

    Attributes:
        methods, data: What is compared.
        always: Methods that are compared even if they were no better than the plain GAN in the search.
        seeds: Seeds of each comparison.
        tuning_seeds: Seeds of each trial, which are not those of the comparisons.
        rates, betas: The trials are all pairs.
        batch: Real items in a draw.
        images: The budget of real images seen; also that of a trial.
        cpu_seconds: The budget of processor time: building, fits and updates of a run, as if it were the only one.
        samples: Samples that are measured; `pairs` of them for w1.
    """

    methods: Mapping[str, Method] = field(default_factory=lambda: METHODS)
    data: Mapping[str, Dataset] = field(default_factory=lambda: DATA)
    always: tuple[str, ...] = (BASELINE, "veegan", "bourgan", "nemgan")
    seeds: tuple[int, ...] = tuple(range(10))
    tuning_seeds: tuple[int, ...] = (100, 101)
    rates: tuple[float, ...] = (3e-3, 1e-2, 3e-2)
    betas: tuple[float, ...] = (0.0, 0.5)
    batch: int = 128
    images: int = 384_000
    cpu_seconds: float = 1.5
    samples: int = 2500
    pairs: int = 1000

    @property
    def trials(self) -> list[Trial]:
        """The settings that every method is tried with."""
        return [Trial(*pair) for pair in product(self.rates, self.betas)]


def small() -> Plan:
    """Three methods on two data sets in seconds: to see that everything works, not what is better."""
    return Plan(
        methods={name: METHODS[name] for name in ("gan", "r3gan", "bourgan")},
        data={name: DATA[name] for name in ("ring", "grid")},
        seeds=(0, 1),
        tuning_seeds=(100,),
        rates=(1e-3, 3e-3),
        betas=(0.5,),
        batch=16,
        images=320,
        cpu_seconds=0.1,
        samples=100,
        pairs=50,
    )
