"""Settings of GDPP's term."""

from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Need


class DeterminantalConfig(LossTermConfig):
    """Generated features should have the eigenvalues and eigenvectors that those of data have (GDPP)."""

    kind: Literal["baselines.determinantal"] = "baselines.determinantal"
    needs: ClassVar[tuple[Need, ...]] = (Need("discriminator"),)

    value_weight: float = Field(1e-4, ge=0)
    """Factor of the mean squared distance of the eigenvalues beside that of the eigenvectors."""

    @override
    def build(self) -> Any:
        from allmodes_baselines.gdpp import Determinantal

        return Determinantal(self.value_weight)
