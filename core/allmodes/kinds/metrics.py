"""Configs of the core's metrics."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from allmodes_schemas import MetricConfig, Need


class ModesConfig(MetricConfig):
    """Modes captured, share of high quality, KL and within-mode variance, for mixtures whose modes are known."""

    kind: Literal["modes"] = "modes"
    needs: ClassVar[tuple[Need, ...]] = (Need("truth", remedy="take data of kind ring, grid, circle or mixture"),)

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import Modes

        return Modes()


class WassersteinConfig(MetricConfig):
    """Exact 1-Wasserstein distance of samples and held-out items, by optimal transport."""

    kind: Literal["wasserstein"] = "wasserstein"
    samples: int = Field(2500, ge=2, le=20_000)
    """Points on each side at most; time grows as about their 2.5th power, memory as their square."""

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import Wasserstein

        return Wasserstein(self.samples)


class ClassCoverageConfig(MetricConfig):
    """Classes among the samples by their nearest training items, and the KL of their shares."""

    kind: Literal["class_coverage"] = "class_coverage"
    needs: ClassVar[tuple[Need, ...]] = (Need("labels", remedy="take data with labels"),)
    items: int = Field(10_000, ge=1)
    """Training items at most among which the nearest is looked for."""

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import ClassCoverage

        return ClassCoverage(self.items)


KINDS: tuple[type[MetricConfig], ...] = (ModesConfig, WassersteinConfig, ClassCoverageConfig)
