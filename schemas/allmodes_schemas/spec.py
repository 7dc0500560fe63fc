"""The whole experiment as it is written down."""

import operator
from collections import Counter
from reprlib import repr as short
from typing import Annotated, ClassVar, Literal, Self, SupportsIndex

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from allmodes_schemas.base import Config, Iteration, Sane, worded
from allmodes_schemas.components import (
    AuxiliaryConfig,
    DatasetConfig,
    LossTermConfig,
    MetricConfig,
    NetworkConfig,
    PriorConfig,
)
from allmodes_schemas.training import TrainingConfig


def folder_name(name: str) -> str:
    """The name, which is also that of folders, on any system.

    Raises ValueError with what it should be.
    """
    letters = all(letter.isalnum() or letter in "._-" for letter in name)
    words = "be a name of letters, digits, dots, dashes and underscores, and not of dots alone"
    for right, should in (
        (letters and name.strip("."), words),
        (name[:1] not in ("-", "."), "begin with a letter or a digit"),
        (not name.endswith("."), "not end with a dot"),
        (len(name) <= 100, "have at most 100 letters"),
        (name.partition(".")[0].upper() not in _DEVICES, "be no name that Windows keeps for devices"),
    ):
        if not right:
            raise ValueError(f"should {should}, got {short(name)}")
    if len(name.encode()) > BYTES:
        raise ValueError(f"takes {len(name.encode())} bytes, too many for the name of a folder: take a shorter one")
    return name


def _whole(seed: object) -> object:
    """Other libraries' whole numbers as Python's, and True and False as what they are: no numbers."""
    if isinstance(seed, bool):
        raise ValueError(f"should be a whole number, got {seed}")
    return operator.index(seed) if isinstance(seed, SupportsIndex) else seed


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    twice = [seed for seed, times in Counter(seeds).items() if times > 1]
    if twice:
        raise ValueError(f"{twice[0]} is there twice: each seed is one run")
    return seeds


_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{device}{n}" for device in ("COM", "LPT") for n in range(1, 10))}
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**63), BeforeValidator(_whole)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_distinct)]
NAME = worded(r"^[a-z][a-z0-9_]*$", "a name of small letters, digits and underscores that begins with a letter")
TITLE = worded(
    r"^[\w.\-]*[\w\-][\w.\-]*$", "a name of letters, digits, dots, dashes and underscores, and not of dots alone"
)
BYTES = 200  # the name of a run's folder has room for no more
Name = Annotated[str, Field(pattern=NAME)]


class StreamConfig(Config):
    """A few training items with labels, chosen once by the seed, that loss terms read beside the batch."""

    items: int | None = Field(None, ge=1)
    """How many, chosen at random; by default 500, or all that `labels_file` names."""
    per_class: int | None = Field(None, ge=1)
    """How many of each class, in the place of `items`."""
    balanced: bool = True
    """Whether batches hold all classes equally often, however many items of each there are (oversampling)."""
    batch_size: Annotated[int, Sane(2**17)] = Field(64, ge=1)
    """Items per draw, drawn with replacement."""
    labels_file: str | None = None
    """A CSV of `index,label`, a line for each labelled item: its position in the training data, from 0, and its label,
    a number from 0 or a class's name; relative to where the run is started. By default labels are the data's own."""

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if self.items is not None and self.per_class is not None:
            raise ValueError("items and per_class are both given: say how many in all, or how many of each class")
        return self


class EvaluationConfig(Config):
    """When a run is measured, with how many samples, by what."""

    free: ClassVar[frozenset[str]] = frozenset({"every", "samples", "metrics", "collapse", "figure"})

    every: Iteration = Field(1000, ge=1)
    """Iterations between evaluations."""
    samples: int = Field(2500, ge=2)
    """Samples drawn from the model for each evaluation."""
    metrics: tuple[MetricConfig, ...] = ()
    """What is measured; a bare word means a metric with its defaults."""
    collapse: Literal["warn", "stop", "ignore"] = "warn"
    """What happens when at most half of the modes (or classes) are left that the run held before: half of all or more,
    above chance."""
    figure: bool = True
    """Whether a picture of samples is drawn at each evaluation."""


class Spec(Config):
    """An experiment: one game, its parts, and the seeds it runs with.

    This class types the fields by their bases; the registry narrows them to the kinds that are installed.
    """

    free: ClassVar[frozenset[str]] = frozenset({"description", "seeds", "plugins", "large"})

    schema_version: Literal[1] = 1
    """Version of this format."""
    name: str = Field(min_length=1, max_length=100, pattern=TITLE)
    """Name of the experiment: letters, digits, dots, dashes and underscores; a letter or digit first."""
    description: str = ""
    """A sentence for whoever finds the run."""
    data: DatasetConfig
    """What to learn."""
    prior: PriorConfig
    """Distribution of the latent."""
    generator: NetworkConfig
    """From the latent to data."""
    discriminator: NetworkConfig
    """From what it sees to a score; takes `joint` and `pack` besides the network's own settings."""
    auxiliaries: dict[Name, AuxiliaryConfig] = Field({})
    """Further networks, by a name of your choice."""
    streams: dict[Name, StreamConfig] = Field({})
    """Small labelled subsets of the training data, by a name of your choice, for losses that read one."""
    losses: tuple[LossTermConfig, ...] = Field(min_length=1)
    """One game and any number of other terms."""
    training: TrainingConfig = TrainingConfig()
    """How long, on what, in which order."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """When and how the run is measured."""
    seeds: tuple[Seed, ...] = Field((0,), min_length=1)
    """One run per seed."""
    plugins: tuple[str, ...] = ()
    """Requirements that must be met before the spec is read, such as `allmodes-acme>=0.1`."""
    large: bool = False
    """Whether sizes that look like slips (widths, batches, threads, samples, memory) are meant."""

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        return folder_name(name)
