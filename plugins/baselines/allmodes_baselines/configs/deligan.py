"""Settings of DeLiGAN's latent and of the term on its widths."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, Need, PriorConfig


class MixtureOfGaussiansConfig(PriorConfig):
    """DeLiGAN's latent: equally likely Gaussians, whose means and widths the generator's player learns."""

    kind: Literal["baselines.mixture_of_gaussians"] = "baselines.mixture_of_gaussians"
    trained_by: ClassVar[tuple[str, ...]] = ("generator",)

    dim: int = Field(30, ge=1)
    """Size of z."""
    modes: int = Field(50, ge=2)
    """Components."""
    sigma: float = Field(0.2, gt=0)
    """Standard deviation of every component to begin with."""

    @property
    @override
    def offers(self) -> tuple[str, ...]:
        return (
            "weights",
            "sigma",
        )

    @override
    def parts(self) -> Mapping[str, int | None]:
        return {"code": self.dim, "mode": self.modes}

    @override
    def build(self) -> Any:
        from allmodes_baselines.deligan import MixtureOfGaussians

        return MixtureOfGaussians(self.dim, self.modes, self.sigma)


class WidthConfig(LossTermConfig):
    """Squared distance of the components' widths from 1, a mean; the authors' weights are 0.1 on toys, 1/3 on MNIST."""

    kind: Literal["baselines.width"] = "baselines.width"
    needs: ClassVar[tuple[Need, ...]] = (Need("prior", "sigma", "prior: {kind: baselines.mixture_of_gaussians}"),)

    @override
    def build(self) -> Any:
        from allmodes_baselines.deligan import Width

        return Width()
