"""Options of spirals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from typing_extensions import override

from allmodes_benchmarks.configs.curves import CurvesConfig

if TYPE_CHECKING:
    from allmodes_benchmarks.geometry.outlines import Outlines


class SpiralsConfig(CurvesConfig):
    """Thin spirals that lie within each other."""

    kind: Literal["benchmarks.spirals"] = "benchmarks.spirals"
    arms: int = Field(2, ge=1, le=20)
    """Number of spirals."""
    turns: float = Field(1.5, ge=0.25, le=10, allow_inf_nan=False)
    """Turns of each."""
    segments: int = Field(8, ge=1, le=1000)
    """Number of modes of each spiral, of equal lengths; 1 makes a mode of each spiral."""

    @override
    def outlines(self) -> Outlines:
        from allmodes_benchmarks.geometry.spirals import draw_spirals

        return draw_spirals(self.arms, self.turns, self.dims, self.seed)

    @override
    def family(self) -> Any:
        from allmodes_benchmarks.truths.spirals import Spirals

        return Spirals
