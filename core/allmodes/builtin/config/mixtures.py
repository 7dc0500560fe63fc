"""Configs of mixtures of Gaussians, whose modes are known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from typing_extensions import override

from allmodes.builtin.config.known_modes import KnownModesConfig
from allmodes.builtin.config.ranges import Finite, Positive, Weight
from allmodes.specs.hints import check_bounds, check_scale
from allmodes_schemas import DatasetConfig, Problem, Shape, Spec

Point = tuple[float, ...]


RESOLUTION = 1e-6
"""Smallest std beside means of size 1, where 32-bit floats are 1.2e-7 apart."""


class GaussiansConfig(KnownModesConfig):
    """Base config of mixtures of isotropic Gaussians."""

    threshold: Positive | None = None
    """A point is of high quality within this many stds of a mode's mean (Euclidean distance). By default the radius
    that holds 98.89 % of a mode's own points: 3 in the plane, 4.79 where ten coordinates vary."""

    @model_validator(mode="after")
    def _refuse_tiny_stds(self) -> Self:
        sizes, stds = [max(map(abs, centre)) for centre in self.centres()], self.stds()
        each = stds if isinstance(stds, Sequence) else (stds,) * len(sizes)
        for std, size in zip(each, sizes, strict=False):  # whether there are as many is checked by those who take them
            if std < RESOLUTION * size < math.inf:
                what = f"std {std:g} is lost beside a mean of size {size:g}, where 32-bit floats are"
                least = f"take at least {RESOLUTION * size:.1g}, or smaller means"
                raise ValueError(f"{what} {size * 2**-23:.1g} apart: {least}")
        return self

    def centres(self) -> Sequence[Point]:
        """The modes' means, in the order of their labels."""
        raise NotImplementedError(f"{type(self).__name__} does not define centres()")

    @override
    def mode_weights(self) -> Sequence[float]:
        return (1.0,) * len(self.centres())

    def stds(self) -> float | Sequence[float]:
        """The modes' standard deviation, one number or one for each."""
        raise NotImplementedError(f"{type(self).__name__} does not define stds()")

    def noisy_dims(self) -> int | None:
        """How many leading coordinates vary within a mode; None means all."""
        return None

    @override
    def shape(self) -> Shape:
        return (len(self.centres()[0]),)

    @override
    def classes(self) -> int:
        return len(self.centres())

    @override
    def check(self, spec: Spec) -> Iterator[Problem]:
        stds = self.stds()
        widths = [stds] * self.classes() if isinstance(stds, int | float) else stds
        there = [mode for mode in zip(self.mode_weights(), self.centres(), widths, strict=True) if mode[0] > 0]
        whole = sum(weight for weight, _, _ in there)
        weights = [weight / whole for weight, _, _ in there]
        within = sum(w * std * std for w, (_, _, std) in zip(weights, there, strict=True))
        columns = list(zip(*(centre for _, centre, _ in there), strict=True))
        means = [sum(w * x for w, x in zip(weights, column, strict=True)) for column in columns]
        spreads = [
            math.sqrt(within + sum(w * (x - mean) * (x - mean) for w, x in zip(weights, column, strict=True)))
            for mean, column in zip(means, columns, strict=True)
        ]
        yield from check_scale(means, spreads, "shift and scale the modes (means or radius, and std) to about 1")
        yield from check_bounds(spec, [min(column) for column in columns], [max(column) for column in columns])

    @override
    def truth(self) -> Any:
        import torch

        from allmodes.data import Mixture

        stds = self.stds()
        std = float(stds) if isinstance(stds, int | float) else torch.tensor(stds)
        means, weights = torch.tensor(self.centres()), torch.tensor(self.mode_weights())
        return Mixture(means, std, weights, self.threshold, self.noisy_dims())


class WeightedConfig(GaussiansConfig):
    """Base config of mixtures with a weight for each mode."""

    weights: tuple[Weight, ...] | None = None
    """Weight of each mode, up to a common factor; by default all are equal."""

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        if self.weights is not None and len(self.weights) != self.classes():
            raise ValueError(f"weights has {len(self.weights)} entries but there are {self.classes()} modes")
        if self.weights is not None and sum(self.weights) == 0:
            raise ValueError("weights are all zero: at least one mode must have a positive weight")
        return self

    @override
    def mode_weights(self) -> Sequence[float]:
        return super().mode_weights() if self.weights is None else self.weights


class RingConfig(WeightedConfig):
    """Gaussians equally spaced on a circle (the classic ring of Metz et al., 2017: 8 modes).

    Official demos of Unrolled GAN and GDPP place both ends of [0, 2 pi], so that two of their eight modes coincide;
    here all modes are distinct.
    """

    kind: Literal["ring"] = "ring"
    modes: int = Field(8, ge=1, le=10_000)
    """Number of modes."""
    radius: Positive = 1.0
    """Distance of the means from the origin."""
    std: Positive = 0.01
    """Standard deviation of each coordinate within a mode, in the units of `radius`."""
    first_angle: Finite = -math.pi / 2
    """Angle of the first mode in radians, counter-clockwise from the positive x axis."""

    @override
    def centres(self) -> Sequence[Point]:
        return _on_circle(self.modes, self.radius, self.first_angle)

    @override
    def stds(self) -> float:
        return self.std


class GridConfig(WeightedConfig):
    """Gaussians on a square grid around the origin (the classic 25 modes at {-4,-2,0,2,4}^2)."""

    kind: Literal["grid"] = "grid"
    side: int = Field(5, ge=1, le=100)
    """Number of modes along each axis."""
    spacing: Positive = 2.0
    """Distance between neighbouring means."""
    std: Positive = 0.05
    """Standard deviation of each coordinate within a mode, in the units of `spacing`."""

    @override
    def centres(self) -> Sequence[Point]:
        axis = [self.spacing * (i - (self.side - 1) / 2) for i in range(self.side)]
        return tuple(product(axis, axis))

    @override
    def stds(self) -> float:
        return self.std


class CircleConfig(GaussiansConfig):
    """A circle of overlapping Gaussians with a small mode at its centre (Xiao et al., 2018: 3 of 103 points)."""

    kind: Literal["circle"] = "circle"
    modes: int = Field(100, ge=1, le=10_000)
    """Number of modes on the circle; the centre comes last, as one more."""
    radius: Positive = 2.0
    """Radius of the circle."""
    std: Positive = 0.05
    """Standard deviation of each coordinate within a mode, in the units of `radius`."""
    centre: Positive = 3.0
    """Weight of the centre, where each mode on the circle weighs 1."""
    first_angle: Finite = 0.0
    """Angle of the first mode in radians, counter-clockwise from the positive x axis."""

    @override
    def centres(self) -> Sequence[Point]:
        return (*_on_circle(self.modes, self.radius, self.first_angle), (0.0, 0.0))

    @override
    def mode_weights(self) -> Sequence[float]:
        return (*(1.0,) * self.modes, self.centre)

    @override
    def stds(self) -> float:
        return self.std


class MixtureConfig(WeightedConfig):
    """Isotropic Gaussians at means of your choice."""

    kind: Literal["mixture"] = "mixture"
    means: tuple[Annotated[tuple[Finite, ...], Field(min_length=1)], ...] = Field(min_length=1)
    """The modes' means: a list of points with equally many coordinates."""
    std: Positive | tuple[Positive, ...] = 1.0
    """Standard deviation of each coordinate within a mode: one number, or one for each mode."""

    @field_validator("means")
    @classmethod
    def _check_lengths(cls, means: tuple[Point, ...]) -> tuple[Point, ...]:
        lengths = sorted({len(mean) for mean in means})
        if len(lengths) > 1:
            raise ValueError(f"means have {lengths[0]} to {lengths[-1]} coordinates: give all the same number")
        return means

    @model_validator(mode="after")
    def _check_stds(self) -> Self:
        if isinstance(self.std, tuple) and len(self.std) != self.classes():
            raise ValueError(f"std has {len(self.std)} entries but there are {self.classes()} modes")
        return self

    @override
    def centres(self) -> Sequence[Point]:
        return self.means

    @override
    def stds(self) -> float | Sequence[float]:
        return self.std


class HighDimensionalConfig(GaussiansConfig):
    """Ten modes in 1200 dimensions, 700 of them noisy: the data of Srivastava et al. (2017) as PacGAN re-created them.

    The authors did not publish the means. In PacGAN's re-creation all 1200 coordinates of a mean are the same
    number, one of (-1, -0.5, 0, 0.5, -2, -2.5, 10, 0.25, -13, -5.5), and the first 700 have unit noise. The published
    column is not reproducible as specified: a real point lies about sqrt(700) = 26.5 stds from its mean, so the
    "10 stds" that the paper accepts, read as a Euclidean distance, reject all real data. Here a point is of high
    quality within 28.1 stds, as 98.89 % of real points are; a point at the very mean is too, so read the variance ratio
    beside it.
    """

    kind: Literal["high_dimensional"] = "high_dimensional"

    @override
    def centres(self) -> Sequence[Point]:
        return tuple((value,) * 1200 for value in (-1.0, -0.5, 0.0, 0.5, -2.0, -2.5, 10.0, 0.25, -13.0, -5.5))

    @override
    def stds(self) -> float:
        return 1.0

    @override
    def noisy_dims(self) -> int:
        return 700


def _on_circle(n: int, radius: float, first_angle: float) -> tuple[Point, ...]:
    """Place n distinct points: the last is one step short of a full turn."""
    angles = [first_angle + 2 * math.pi * i / n for i in range(n)]
    return tuple((radius * math.cos(angle), radius * math.sin(angle)) for angle in angles)


KINDS: tuple[type[DatasetConfig], ...] = (
    RingConfig,
    GridConfig,
    CircleConfig,
    MixtureConfig,
    HighDimensionalConfig,
)
