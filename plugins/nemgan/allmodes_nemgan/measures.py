"""Settings of NEMGAN's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import Key, MetricConfig, Need

_MODES = Need("part", "mode", "a prior with modes, such as prior: {kind: nemgan.mode_mixture}")
_INVERTER = Need("auxiliary", "mode", "auxiliaries.inverter: {kind: nemgan.inverter}", "logits")
_LABELS = Need("labels", remedy="take data with labels")


class PriorErrorConfig(MetricConfig):
    """How far the modes' probabilities are from the classes' true shares, once modes and classes are matched."""

    kind: Literal["nemgan.prior_error"] = "nemgan.prior_error"
    needs: ClassVar[tuple[Need, ...]] = (_MODES, _INVERTER, _LABELS)
    auxiliary: str = "inverter"
    """The inverter, whose predictions for held-out items match modes to classes one to one (Hungarian method)."""

    @override
    def numbers(self) -> Mapping[str, Key]:
        return {"prior_error": Key("lower"), "prior_kl": Key("lower")}

    @override
    def build(self) -> Any:
        from allmodes_nemgan.discovery import PriorError

        return PriorError(self.auxiliary)


class AttributesConfig(MetricConfig):
    """A figure of what changes along directions of the noise, mode by mode: those that change the items most."""

    kind: Literal["nemgan.attributes"] = "nemgan.attributes"
    needs: ClassVar[tuple[Need, ...]] = (_MODES,)
    directions: int = Field(2, ge=1, le=10)
    """Directions shown for each mode."""
    steps: int = Field(7, ge=2, le=20)
    """Items along each direction."""

    @override
    def build(self) -> Any:
        from allmodes_nemgan.discovery import Attributes

        return Attributes(self.directions, self.steps)
