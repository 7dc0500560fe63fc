"""Settings of RS-IMLE."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Sane


class RejectionImleConfig(LossTermConfig):
    """Draws to each real item the nearest of many draws that is not near any, without a discriminator (RS-IMLE)."""

    kind: Literal["modern.rs_imle"] = "modern.rs_imle"
    serves: ClassVar[tuple[str, ...]] = ("generator",)

    candidates: Annotated[int, Sane(1000)] = Field(10, ge=1)
    """Latents drawn for each real item of a batch: m / n in the paper's letters."""
    epsilon: float = Field(0.1, ge=0)
    """Draws closer than this to a real item are rejected; with 0 none is, which is IMLE."""

    @override
    def build(self) -> Any:
        from allmodes_modern.rs_imle import RejectionImle

        return RejectionImle(self.candidates, self.epsilon)
