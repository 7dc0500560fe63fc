"""Settings of WGAN's weight clipping."""

from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Need


class ClippingConfig(LossTermConfig):
    """Keeps the discriminator's weights in a box around 0, under any game (Arjovsky et al., 2017)."""

    kind: Literal["baselines.clipping"] = "baselines.clipping"
    needs: ClassVar[tuple[Need, ...]] = (Need("discriminator"),)
    bounds_slope: ClassVar[bool] = True

    c: float = Field(0.01, gt=0)
    """Largest absolute value of a weight."""

    @override
    def build(self) -> Any:
        from allmodes_baselines.wgan import Clipping

        return Clipping(self.c)
