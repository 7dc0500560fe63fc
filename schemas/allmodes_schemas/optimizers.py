"""Optimisers of the players."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, PositiveFloat

from allmodes_schemas.base import KindConfig, Ramp

MOST = 0.9999999
"""The largest share: 32-bit floats nearer to 1 may be 1."""


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


__all__ = ["AdamConfig", "OptimizerConfig", "RampedShare", "Rate", "SgdConfig", "Share"]
