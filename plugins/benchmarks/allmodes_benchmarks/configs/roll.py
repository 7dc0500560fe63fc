"""Options of the Swiss roll."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import Shape
from allmodes_benchmarks.configs.benchmark import BenchmarkConfig, Points

if TYPE_CHECKING:
    from allmodes_benchmarks.geometry.roll import Roll


class SwissRollConfig(BenchmarkConfig):
    """Clusters on a Swiss roll: flat, bent discs, some of which are near in space and far along the sheet."""

    kind: Literal["benchmarks.swiss_roll"] = "benchmarks.swiss_roll"
    dims: int = Field(3, ge=3, le=1000)
    """Number of coordinates: beyond 3, the roll lies in a random space of three, and all coordinates are noisy."""
    modes: int = Field(24, ge=2, le=10_000)
    """Number of clusters."""
    turns: float = Field(1.5, ge=0.25, le=10, allow_inf_nan=False)
    """Turns of the roll."""
    thinness: float = Field(4.0, ge=1, le=100, allow_inf_nan=False)
    """A cluster's standard deviation along the sheet over that across it."""
    separation: float = Field(2.0, ge=1, le=1000, allow_inf_nan=False)
    """The closest two clusters are this many times as far apart, along the sheet, as if their regions of high quality
    touched: it sets their standard deviation."""

    def roll(self) -> Roll:
        """The sheet and the clusters on it."""
        from allmodes_benchmarks.geometry.roll import draw_roll

        return draw_roll(self.modes, self.turns, self.thinness, self.separation, self.dims, self.seed)

    @override
    def shape(self) -> Shape:
        return (self.dims,)

    @override
    def mode_weights(self) -> Sequence[float]:
        return (1.0,) * self.modes

    @override
    def outline(self) -> Points:
        from allmodes_benchmarks.geometry.outlines import frame

        points: list[list[float]] = (self.roll().points @ frame(self.dims, self.seed)[:, :3].T).tolist()
        return points

    @override
    def truth(self) -> Any:
        import torch

        from allmodes import Mixture
        from allmodes_benchmarks.geometry.outlines import frame
        from allmodes_benchmarks.truths.roll import SwissRoll
        from allmodes_benchmarks.truths.spirals import Spirals

        roll = self.roll()
        pitch, inner, outer, hand = (torch.tensor(v) for v in (roll.pitch, roll.inner, roll.outer, 1.0))
        spiral = Spirals(torch.zeros(1), pitch, inner, outer, torch.zeros(1), hand)
        means = torch.zeros(self.modes, self.dims)
        means[:, :2] = torch.tensor(roll.places)
        mixture = Mixture(means, roll.std, torch.ones(self.modes))
        return SwissRoll(spiral, mixture, self.thinness, torch.tensor(frame(self.dims, self.seed)).float())
