"""Players, turns and the training: who is updated when, how long and where."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, create_model

from allmodes_schemas.base import Config, Iteration, Sane, worded
from allmodes_schemas.keeping import CheckpointsConfig, EarlyStoppingConfig, RewindConfig
from allmodes_schemas.optimizers import AdamConfig, OptimizerConfig, RampedShare

DEVICE = worded(r"^(auto|cpu|cuda(:\d+)?)$", "'auto', 'cpu', 'cuda' or a card such as 'cuda:1'")


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


__all__ = ["EmaConfig", "PlayerConfig", "TrainingConfig", "TurnConfig"]
