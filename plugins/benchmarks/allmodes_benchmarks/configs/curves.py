"""What curves have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field
from typing_extensions import override

from allmodes import Shape
from allmodes_benchmarks.configs.benchmark import BenchmarkConfig, Points

if TYPE_CHECKING:
    from allmodes_benchmarks.geometry.outlines import Outlines


class CurvesConfig(BenchmarkConfig):
    """Base config of thin curves in a plane."""

    dims: int = Field(2, ge=2, le=1000)
    """Number of coordinates: beyond 2, the curves lie in a random plane, and all coordinates are noisy."""
    segments: int = Field(4, ge=1, le=1000)
    """Number of modes of each curve, of equal lengths; 1 makes a mode of each curve."""
    separation: float = Field(6.0, ge=1, le=1000, allow_inf_nan=False)
    """Curves are this many times as far apart, and bent less by that factor, as if their regions of high quality met:
    it sets the standard deviation of the noise."""

    def outlines(self) -> Outlines:
        """The curves as NumPy knows them."""
        raise NotImplementedError(f"{type(self).__name__} does not define outlines()")

    def family(self) -> Any:
        """The class of the curves in torch."""
        raise NotImplementedError(f"{type(self).__name__} does not define family()")

    @override
    def shape(self) -> Shape:
        return (self.dims,)

    @override
    def mode_weights(self) -> Sequence[float]:
        return [length for length in self.outlines().lengths.tolist() for _ in range(self.segments)]

    @override
    def outline(self) -> Points:
        points: list[list[float]] = self.outlines().embedded(self.dims, self.seed).tolist()
        return points

    @override
    def truth(self) -> Any:
        import torch

        from allmodes_benchmarks.geometry.outlines import frame
        from allmodes_benchmarks.truths.curves import Curves

        curves = self.outlines()
        numbers = {"lengths": curves.lengths, **curves.numbers}
        plane = self.family()(**{name: torch.tensor(values).float() for name, values in numbers.items()})
        rotation = torch.tensor(frame(self.dims, self.seed)).float()
        return Curves(plane, curves.std(self.dims, self.separation), rotation, self.segments)
