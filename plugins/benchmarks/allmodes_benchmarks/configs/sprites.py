"""Options of sprites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from allmodes import Problem, Shape, Spec
from allmodes_benchmarks.configs.benchmark import BenchmarkConfig


class SpritesConfig(BenchmarkConfig):
    """Small images of random glyphs: shape, place and scale are the mode, brightness is continuous."""

    kind: Literal["benchmarks.sprites"] = "benchmarks.sprites"
    size: Literal[8, 16] = 8
    """Height and width in px."""
    shapes: int = Field(4, ge=1, le=32)
    """Number of glyphs, of 3 x 3 px, or 6 x 6 in images of 16."""
    positions: int = Field(4, ge=1, le=14)
    """Number of places along each axis."""
    scales: int = Field(1, ge=1, le=4)
    """Number of scales: at the k-th, a glyph's pixels are k px wide, or k + 1 in images of 16."""
    separation: float = Field(2.0, ge=1, le=1000, allow_inf_nan=False)
    """The closest two items of different modes are this many times as far apart as if their regions of high quality
    touched: it sets the noise, which is at most 0.04."""

    @model_validator(mode="after")
    def _check_places(self) -> Self:
        from allmodes_benchmarks.geometry.sprites import places

        places(self.size, self.positions, self.scales - 1)
        return self

    @override
    def shape(self) -> Shape:
        return (1, self.size, self.size)

    @override
    def classes(self) -> int:
        return self.shapes * self.scales * self.positions**2

    @override
    def mode_weights(self) -> Sequence[float]:
        return (1.0,) * self.classes()

    @override
    def check(self, spec: Spec) -> Iterator[Problem]:
        """Images are in [-1, 1], which the core checks."""
        yield from ()

    @override
    def truth(self) -> Any:
        import torch

        from allmodes_benchmarks.geometry.sprites import draw_templates, std_of
        from allmodes_benchmarks.truths.sprites import Sprites

        templates = draw_templates(self.size, self.shapes, self.positions, self.scales, self.seed)
        return Sprites(torch.tensor(templates).float(), std_of(templates, self.separation))
