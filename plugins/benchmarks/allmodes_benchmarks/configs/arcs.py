"""Options of arcs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from typing_extensions import override

from allmodes_benchmarks.configs.curves import CurvesConfig

if TYPE_CHECKING:
    from allmodes_benchmarks.geometry.outlines import Outlines


class ArcsConfig(CurvesConfig):
    """Thin half circles at random places."""

    kind: Literal["benchmarks.arcs"] = "benchmarks.arcs"
    arcs: int = Field(4, ge=1, le=100)
    """Number of half circles."""

    @override
    def outlines(self) -> Outlines:
        from allmodes_benchmarks.geometry.arcs import draw_arcs

        return draw_arcs(self.arcs, self.dims, self.seed)

    @override
    def family(self) -> Any:
        from allmodes_benchmarks.truths.arcs import Arcs

        return Arcs
