"""Options of random mixtures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from typing_extensions import override

from allmodes import MixtureConfig, Problem, Shape, Spec
from allmodes_benchmarks.configs.benchmark import BenchmarkConfig

MOST = 10_000
"""Modes at most."""


class RandomMixtureConfig(BenchmarkConfig):
    """Gaussians at random places: few or a thousand, in the plane or 50 dimensions, rare, wide or in clusters."""

    kind: Literal["benchmarks.mixture"] = "benchmarks.mixture"
    dims: int = Field(2, ge=1, le=1000)
    """Number of coordinates."""
    modes: int | Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)] = 16
    """Number of modes. Of a hierarchy: of clusters, of clusters in each, ..., of modes in each, such as [5, 5, 4]."""
    width_ratio: float = Field(1.0, ge=1, le=1000, allow_inf_nan=False)
    """Standard deviation of the widest mode over that of the narrowest; the others are between, in equal steps of the
    logarithm."""
    weight_ratio: float = Field(1.0, ge=1, le=1e6, allow_inf_nan=False)
    """Weight of the commonest mode over that of the rarest; the others are between, in equal steps of the logarithm."""
    separation: float = Field(2.0, ge=1, le=1000, allow_inf_nan=False)
    """The closest two modes are this many times as far apart as if their regions of high quality touched. It sets the
    standard deviations: in the plane and with equal widths, 2 means 12 of them."""

    @field_validator("modes")
    @classmethod
    def _check_modes(cls, modes: int | tuple[int, ...]) -> int | tuple[int, ...]:
        total = modes if isinstance(modes, int) else prod(modes)
        if not 2 <= total <= MOST:
            raise ValueError(f"{total:,} modes in all: take 2 to {MOST:,}")
        return modes

    def counts(self) -> tuple[int, ...]:
        """Branches at each level, from outside to inside."""
        return (self.modes,) if isinstance(self.modes, int) else self.modes

    def total(self) -> int:
        """Number of modes."""
        return prod(self.counts())

    @override
    def shape(self) -> Shape:
        return (self.dims,)

    @override
    def mode_weights(self) -> Sequence[float]:
        from allmodes_benchmarks.geometry.mixture import weights_of

        return weights_of(self.total(), self.weight_ratio, self.seed)

    def gaussians(self) -> MixtureConfig:
        """The mixture with its means, standard deviations and weights written out."""
        from allmodes_benchmarks.geometry.mixture import means_of, stds_of

        means = means_of(self.counts(), self.dims, self.seed)
        stds = stds_of(self.counts(), self.dims, self.width_ratio, self.separation, self.seed)
        std = stds[0] if self.width_ratio == 1 else stds
        return MixtureConfig(means=means, std=std, weights=tuple(self.mode_weights()))

    @override
    def check(self, spec: Spec) -> Iterator[Problem]:
        yield from self.gaussians().check(spec)

    @override
    def truth(self) -> Any:
        return self.gaussians().truth()
