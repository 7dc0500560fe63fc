"""Settings of Drifting Models."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig


class DriftingConfig(LossTermConfig):
    """Moves generated items to data and from each other, without a discriminator (Deng et al., 2026)."""

    kind: Literal["modern.drifting"] = "modern.drifting"
    serves: ClassVar[tuple[str, ...]] = ("generator",)

    temperatures: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.02, 0.05, 0.2), min_length=1)
    """The kernel's lengths tau, whose fields add up; with `normalize` in units of the mean distance."""
    normalize: bool = True
    """Whether distances and fields are divided by their means over the batch (appendix A.6 of the paper)."""

    @override
    def build(self) -> Any:
        from allmodes_modern.drifting import Drifting

        return Drifting(self.temperatures, self.normalize)
