"""Players, turns and optimisers: who is updated when."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, PositiveFloat, create_model, model_validator

from allmodes_schemas.base import Config, Iteration, KindConfig, Ramp, Sane, Scheduled, worded

MOST = 0.9999999
"""The largest share: 32-bit floats nearer to 1 may be 1."""
DEVICE = worded(r"^(auto|cpu|cuda(:\d+)?)$", "'auto', 'cpu', 'cuda' or a card such as 'cuda:1'")


def _not_negative(ramp: Ramp) -> Ramp:
    if min(ramp.start, ramp.end) < 0:
        raise ValueError("start and end should be at least 0")
    return ramp


def _below_one(share: float) -> float:
    """Refuse numbers that are 1 as 32-bit floats, which networks compute with."""
    if share > MOST:
        raise ValueError(f"should be at most {MOST}: nearer to 1 it is 1 in 32-bit floats, and nothing would move")
    return share


def _share(ramp: Ramp) -> Ramp:
    if min(ramp.start, ramp.end) < 0 or max(ramp.start, ramp.end) >= 1:
        raise ValueError("start and end should be at least 0 and less than 1")
    _below_one(max(ramp.start, ramp.end))
    return ramp


Rate: TypeAlias = PositiveFloat | Annotated[Ramp, AfterValidator(_not_negative)]
"""A positive number, or a ramp, which may begin or end at 0."""
Share: TypeAlias = Annotated[float, Field(ge=0, lt=1), AfterValidator(_below_one)]
"""A number from 0 to below 1."""
RampedShare: TypeAlias = Share | Annotated[Ramp, AfterValidator(_share)]
"""A share, or a ramp through shares."""


class AdamConfig(KindConfig):
    """Adam (Kingma and Ba, 2015)."""

    kind: Literal["adam"] = "adam"
    lr: Rate = 1e-3
    """Learning rate."""
    betas: tuple[Share, RampedShare] = (0.5, 0.999)
    """Decay of the first and second moment; the second may be a ramp."""
    eps: PositiveFloat = 1e-8
    """Added to the root of the second moment."""


class SgdConfig(KindConfig):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"] = "sgd"
    lr: Rate = 1e-2
    """Learning rate."""
    momentum: Share = 0.0
    """Share of the last update that is kept."""


OptimizerConfig: TypeAlias = Annotated[AdamConfig | SgdConfig, Field(discriminator="kind")]


class PlayerConfig(Config):
    """A named optimiser over named modules; a module may belong to several players."""

    name: str
    """Name of the player, used by turns and losses."""
    modules: tuple[str, ...]
    """The modules that it trains: `generator`, `discriminator`, `prior` or auxiliaries by name."""
    optimizer: OptimizerConfig | None = None
    """Its optimiser; without one it takes `training.optimizers` or `training.optimizer`."""


class TurnConfig(Config):
    """One entry of a schedule: who is updated, how often, on which draw."""

    player: str | Annotated[tuple[str, ...], Field(min_length=1)]
    """The player, or several whose gradients are all taken before any of them steps."""
    times: Annotated[int, Sane(1000)] = Field(1, ge=1)
    """Updates in a row."""
    every: Iteration = Field(1, ge=1)
    """Only at iterations divisible by this."""
    start: Iteration = Field(0, ge=0)
    """First iteration (from 0) at which the turn is taken."""
    end: Iteration | None = Field(None, ge=1)
    """Iteration before which the turn is last taken; none: to the end."""
    draw: Literal["fresh", "shared"] = "fresh"
    """A new batch and latent, or those of the turn before; dropout masks are new in either case."""
    inference: tuple[str, ...] = ()
    """Modules that the turn does not train, to run as in evaluation: BatchNorm by running statistics, no dropout."""

    @property
    def players(self) -> tuple[str, ...]:
        """The players of the turn."""
        return (self.player,) if isinstance(self.player, str) else self.player

    def due(self, iteration: int) -> bool:
        """Whether the turn is taken at an iteration."""
        started = self.start <= iteration and (self.end is None or iteration < self.end)
        return started and iteration % self.every == 0


class EmaConfig(Config):
    """An exponential moving average of the generator and of a learned prior, used by evaluation."""

    decay: RampedShare = 0.999
    """Share of the average that is kept at each iteration."""
    start: Iteration = Field(0, ge=0)
    """Iteration before which the average simply follows the weights."""


class CheckpointsConfig(Config):
    """When a run is saved so that it can be resumed, and which of these checkpoints stay."""

    every: Iteration = Field(1000, ge=1)
    """Iterations between checkpoints: what an abrupt end costs at most."""
    minutes: PositiveFloat = 10.0
    """Minutes after which there is a checkpoint in any case, so that slow runs lose little time."""
    keep: Annotated[int, Sane(10_000)] = Field(2, ge=1)
    """How many of the last checkpoints stay."""
    best: str | None = None
    """Metric whose best value so far has its checkpoint kept as well, such as `modes` or `w1`."""


class EarlyStoppingConfig(Config):
    """When a run ends before its last iteration, as a number of its evaluations does not improve any more."""

    metric: str
    """A number of the spec's metrics, such as `modes` or `w1`."""
    patience: Annotated[int, Sane(10_000)] = Field(5, ge=1)
    """Evaluations in a row without improvement after which the run ends; those count that measure the number."""
    better: Literal["auto", "higher", "lower"] = "auto"
    """Which values are better; `auto`: as the metric declares."""
    least: float = Field(0.0, ge=0)
    """By how much a value has to be better than the best one to count as an improvement."""
    start: Iteration = Field(0, ge=0)
    """Iteration before which evaluations do not count."""
    keep: Literal["last", "best"] = "last"
    """Which model a finished run keeps: that of its last iteration, or that of its best evaluation, whose checkpoint is
    kept for it."""


class RewindConfig(Config):
    """When a run goes back to its last good checkpoint, and goes on from there with lower learning rates.

    Good is a checkpoint that is not newer than the last evaluation without a sign. The learning rates are multiplied at
    each rewind again; batches and noise are those of before.
    """

    signs: tuple[Literal["collapse", "divergence"], ...] = ("collapse", "divergence")
    """What sends the run back: the loss of half of the modes that it held, and a loss or weight that is not finite."""
    metric: str | None = None
    """A further sign: this number of the spec's metrics is worse than `limit` after it was at least as good."""
    limit: float | None = None
    """The value of `metric` that it must not fall below (rise above, where less is better)."""
    rate: float = Field(0.5, gt=0, lt=1)
    """What learning rates are multiplied by at each rewind."""
    players: tuple[str, ...] = ()
    """The players whose rates are lowered; none: all."""
    times: Annotated[int, Sane(100)] = Field(3, ge=1)
    """How often at most; after that the run goes on, or fails, as it would without rewinds."""

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.metric is None) != (self.limit is None):
            raise ValueError("metric and limit belong together: set both, or none of them")
        return self


if TYPE_CHECKING:
    _Begun = Config
else:  # the word is one of Python's, so that no class can declare it
    _FROM = """Run whose weights of equal names and shapes this one begins with: its folder, that of a seed, an exported
model, or an address of MLflow (`runs:/...`). Relative to where the run is started."""
    _begins = {"from": (str | None, Field(None, description=" ".join(_FROM.split())))}
    _Begun = create_model("_Begun", __base__=Config, __module__=__name__, **_begins)


class TrainingConfig(_Begun):
    """Length, device and precision of the training, its optimisers and the order of updates."""

    free: ClassVar[frozenset[str]] = frozenset(
        {"iterations", "device", "engine", "threads", "deterministic", "log_every", "checkpoints", "early_stopping"}
    )

    iterations: Annotated[int, Sane(10**10)] = Field(10_000, ge=1)
    """Passes through the schedule."""
    batch_size: Annotated[int, Sane(2**17)] = Field(256, ge=1)
    """Items per draw."""
    schedule: Literal["alternating", "simultaneous"] | tuple[TurnConfig, ...] = "alternating"
    """`alternating`: discriminator, generator, then added players, each on a fresh draw; `simultaneous`: all gradients
    on one draw, then all optimisers step; or a list of turns."""
    discriminator_updates: Annotated[int, Sane(1000)] = Field(1, ge=1)
    """Discriminator updates per iteration of the alternating schedule."""
    optimizer: OptimizerConfig = AdamConfig()
    """Optimiser of every player that has none of its own."""
    optimizers: dict[str, OptimizerConfig] = Field({})
    """Optimisers by player."""
    ema: EmaConfig | None = None
    """Moving average of the generator, if any."""
    engine: Literal["auto", "eager", "stacked", "compiled", "graphed"] = "auto"
    """What computes the updates: `eager` one run at a time, `stacked` all seeds (and specs of equal shapes) at once,
    `compiled` that in compiled code, `graphed` as CUDA graphs; `auto` chooses by size, device and length."""
    device: str = Field("auto", pattern=DEVICE)
    """`auto` (CUDA if there is one), `cpu`, `cuda` or `cuda:1`."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision inside networks; `bfloat16` (autocast) is faster for large ones. Weights, losses, samples: float32."""
    threads: Annotated[int, Sane(1024)] | None = Field(None, ge=1)
    """CPU threads; none: as many as torch takes. Small networks are fastest, and safest beside other work, with 1."""
    deterministic: bool = False
    """Whether only algorithms are used that always give the same bits, which may be slower. A CPU's do without it; on
    CUDA a resumed run equals an unbroken one only with it."""
    log_every: Iteration = Field(100, ge=1)
    """Iterations between logged training losses."""
    checkpoints: CheckpointsConfig = CheckpointsConfig()
    """When the run is saved so that it can be resumed."""
    early_stopping: EarlyStoppingConfig | None = None
    """Whether the run ends where a metric does not improve any more."""
    rewind: RewindConfig | None = None
    """Whether the run goes back to its last good checkpoint where it collapses or diverges."""

    @property
    def source(self) -> str | None:
        """The run whose weights this one begins with: the option `from`."""
        reference: str | None = getattr(self, "from")
        return reference

    @property
    def best(self) -> str | None:
        """The number whose best value has its checkpoint kept, if any."""
        watched = self.early_stopping.metric if self.early_stopping and self.early_stopping.keep == "best" else None
        return self.checkpoints.best or watched

    @property
    def keeps_best(self) -> bool:
        """Whether a finished run keeps the model of its best evaluation."""
        return self.early_stopping is not None and self.early_stopping.keep == "best"


__all__ = [
    "AdamConfig",
    "CheckpointsConfig",
    "EarlyStoppingConfig",
    "EmaConfig",
    "OptimizerConfig",
    "PlayerConfig",
    "RewindConfig",
    "Scheduled",
    "SgdConfig",
    "TrainingConfig",
    "TurnConfig",
]
