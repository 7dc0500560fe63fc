"""The spec: a whole experiment in one file."""

import operator
from collections import Counter
from reprlib import repr as short
from typing import Annotated, ClassVar, Literal, Self, SupportsIndex, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic.config import JsonDict

from allmodes_schemas.base import Config, Iteration, KindConfig, Location, Sane, kinds_within, worded
from allmodes_schemas.components import (
    AuxiliaryConfig,
    DatasetConfig,
    Key,
    LossTermConfig,
    MetricConfig,
    NetworkConfig,
    PriorConfig,
    ReferenceConfig,
    SamplerConfig,
)
from allmodes_schemas.training import TrainingConfig


def check_folder_name(name: str) -> str:
    """Check that a name can be that of a folder on any system, and return it.

    Raises ValueError with what the name should be.
    """
    letters = all(letter.isalnum() or letter in "._-=," for letter in name)  # = and , as in lr=0.001,weight=2
    for valid, should in (
        (
            letters and name.strip("."),
            "be a name of letters, digits, dots, dashes and underscores, and not of dots alone",
        ),
        (name[:1] not in ("-", "."), "begin with a letter or a digit"),
        (not name.endswith("."), "not end with a dot"),
        (len(name) <= 100, "have at most 100 letters"),
        (name.partition(".")[0].upper() not in _DEVICES, "not be a name that Windows reserves for devices"),
    ):
        if not valid:
            raise ValueError(f"should {should}, got {short(name)}")
    if len(name.encode()) > BYTES:
        raise ValueError(f"takes {len(name.encode())} bytes, too many for the name of a folder: take a shorter one")
    return name


def _whole(seed: object) -> object:
    """Convert whole numbers of other libraries to Python's; refuse True and False, which are not numbers."""
    if isinstance(seed, bool):
        raise ValueError(f"should be a whole number, got {seed}")
    return operator.index(seed) if isinstance(seed, SupportsIndex) else seed


def _distinct(seeds: tuple[int, ...]) -> tuple[int, ...]:
    twice = [seed for seed, times in Counter(seeds).items() if times > 1]
    if twice:
        raise ValueError(f"{twice[0]} is listed twice: each seed is one run")
    return seeds


K = TypeVar("K", bound=KindConfig)
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{device}{n}" for device in ("COM", "LPT") for n in range(1, 10))}
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**63), BeforeValidator(_whole)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_distinct)]
NAME = worded(r"^[a-z][a-z0-9_]*$", "a name of small letters, digits and underscores that begins with a letter")
FOLDER_NAME: JsonDict = {"pattern": r"^\w[\w.\-=,]*$", "minLength": 1, "maxLength": 100}  # for editors
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
            raise ValueError("items and per_class exclude each other: set the number in all, or that of each class")
        return self


class EvaluationConfig(Config):
    """When a run is measured, with how many samples, by which metrics."""

    free: ClassVar[frozenset[str]] = frozenset(
        {"every", "samples", "metrics", "references", "collapse", "figure", "figure_every"}
    )

    every: Iteration = Field(1000, ge=1)
    """Iterations between evaluations."""
    samples: int = Field(2500, ge=2)
    """Samples drawn from the model for each evaluation."""
    metrics: tuple[MetricConfig, ...] = ()
    """The metrics; a bare word means one with its defaults."""
    references: tuple[ReferenceConfig, ...] = tuple(ReferenceConfig(kind=kind) for kind in ("copy", "bootstrap", "em"))
    """Samplers without a game whose scores stand beside those of the model; a bare word means one with its defaults."""
    collapse: Literal["warn", "stop", "ignore"] = "warn"
    """What follows where at most half of the modes (or classes) are left that the run held before: half of all or more,
    above chance."""
    figure: bool = True
    """Whether pictures are drawn: of samples, and those of the metrics."""
    figure_every: Iteration | None = Field(None, ge=1)
    """Iterations between pictures, at the end of the run always: as `every` of a metric. None: at each evaluation."""

    def is_due(self, metric: MetricConfig, iteration: int) -> bool:
        """Whether a metric is measured at the evaluation of an iteration before the last, which measures everything."""
        return self._comes(metric.every, iteration)

    def is_drawn(self, iteration: int) -> bool:
        """Whether pictures are drawn at the evaluation of an iteration before the last, which draws them always."""
        return self._comes(self.figure_every, iteration)

    def _comes(self, every: int | None, iteration: int) -> bool:
        """Whether an evaluation is the first from a multiple of a number of iterations on."""
        every = every or self.every
        return iteration // every > (iteration - self.every) // every

    def numbers(self) -> dict[str, Key]:
        """The numbers that the metrics declare, by key, in the order of the metrics."""
        return {key: number for metric in self.metrics for key, number in metric.numbers().items()}


class Spec(Config):
    """An experiment: one game, its components, and the seeds it runs with.

    Fields have the types of base classes here; `allmodes.specs` narrows them to the installed kinds.
    """

    free: ClassVar[frozenset[str]] = frozenset({"label", "description", "sampler", "seeds", "plugins", "large"})

    schema_version: Literal[1] = 1
    """Version of this format."""
    name: Annotated[str, AfterValidator(check_folder_name)] = Field(json_schema_extra=FOLDER_NAME)
    """Name of the experiment: letters, digits, dots, dashes and underscores; a letter or digit first."""
    description: str = ""
    """A sentence for whoever finds the run."""
    label: str = Field("", max_length=200)
    """What tables and figures of a comparison call the method; by default its name."""
    data: DatasetConfig
    """The data to learn from."""
    prior: PriorConfig
    """Distribution of the latent."""
    generator: NetworkConfig
    """From the latent to data."""
    discriminator: NetworkConfig | None = None
    """From its inputs to a score; takes `joint` and `pack` besides the network's own settings. None: no such player."""
    auxiliaries: dict[Name, AuxiliaryConfig] = Field({})
    """Further networks, by a name of your choice."""
    streams: dict[Name, StreamConfig] = Field({})
    """Small labelled subsets of the training data, by a name of your choice, for losses that read one."""
    losses: tuple[LossTermConfig, ...] = Field(min_length=1)
    """One game and any number of other terms; without a discriminator, a term that serves the generator."""
    sampler: SamplerConfig | None = None
    """What draws samples of the trained model, where it is not generator and prior alone."""
    training: TrainingConfig = TrainingConfig()
    """Length, device and precision of the training, its optimisers and the order of updates."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """When and how the run is measured."""
    seeds: tuple[Seed, ...] = Field((0,), min_length=1)
    """One run per seed."""
    plugins: tuple[str, ...] = ()
    """Requirements that must be met before the spec is read, such as `allmodes-acme>=0.1`."""
    large: bool = False
    """Whether sizes that look like slips (widths, batches, threads, samples, memory) are intended."""

    def each(self, slot: type[K]) -> list[K]:
        """The components of a slot, by the base of its configs, those within others included."""
        return [config for _, config in kinds_within(self) if isinstance(config, slot)]

    def where(self, config: KindConfig) -> Location:
        """The keys from the top to a component, also to one within another: `("losses", 0, "game")`.

        Raises LookupError where the spec does not have it.
        """
        kinds = list(kinds_within(self))
        for where, _ in [found for found in kinds if found[1] is config] or [f for f in kinds if f[1] == config]:
            return where
        raise LookupError(f"the spec has no such component: {config!r}")
