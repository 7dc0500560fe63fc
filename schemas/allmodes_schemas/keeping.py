"""When a run is saved, when it ends before its last iteration, and when it goes back."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from allmodes_schemas.base import Config, Iteration, Sane


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


__all__ = ["CheckpointsConfig", "EarlyStoppingConfig", "RewindConfig"]
