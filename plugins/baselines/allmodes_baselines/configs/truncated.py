"""Settings of a truncated latent."""

from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import GaussianConfig, PriorConfig


class TruncatedConfig(PriorConfig):
    """A latent of any kind whose values beyond a bound are drawn again."""

    kind: Literal["baselines.truncated"] = "baselines.truncated"
    wraps: ClassVar[str] = "prior"

    prior: PriorConfig = GaussianConfig()
    """The latent that is truncated, of any kind, a truncated one included."""
    bound: float = Field(2.0, gt=0)
    """Largest absolute value of an entry."""
    by: Literal["items", "entries"] = "items"
    """`items`: whole latents are drawn again; `entries`: single entries, right where entries are independent."""
    draws: int = Field(8, ge=2, le=1000)
    """Draws at most; where all lie beyond the bound, the smallest is taken."""
    training: bool = True
    """Whether training sees the truncated latent, too; no: samples alone do, as in BigGAN."""

    @property
    @override
    def offers(self) -> tuple[str, ...]:
        # Truncation changes what was true of the latent inside, such as the shares of modes.
        return () if self.training else self.prior.offers

    @override
    def build(self) -> Any:
        from allmodes_baselines.truncated import Truncated

        return Truncated(self.prior.build(), self.bound, self.draws, self.by == "entries", self.training)
