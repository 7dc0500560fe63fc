"""Settings of discriminator rejection sampling."""

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Need, Problem, SamplerConfig, Sane, Spec


class RejectionConfig(SamplerConfig):
    """Samples that the discriminator accepts, in proportion to its ratio of densities (Azadi et al., 2019)."""

    kind: Literal["baselines.rejection"] = "baselines.rejection"

    needs: ClassVar[tuple[Need, ...]] = (Need("discriminator", remedy="discriminator: {kind: mlp}"),)

    draws: Annotated[int, Sane(10_000_000)] = Field(10_000, ge=1)
    """Draws in which the largest ratio is looked for, at each evaluation."""
    percentile: float | None = Field(None, ge=0, le=100)
    """The percentile of F over these draws that gamma is: a draw with this F is accepted every other time. By default
    gamma is 0: exact where D is the best one, but few are accepted."""

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        if any(term.kind == "wasserstein" for term in spec.each(LossTermConfig)):
            message = f"{self.kind} takes D for the log of a ratio of densities, which wasserstein does not make it"
            yield Problem(("sampler",), f"{message}: take non_saturating or relativistic", "warning")

    @override
    def build(self) -> Any:
        from allmodes_baselines.rejection import Rejection

        return Rejection(self.draws, self.percentile)
