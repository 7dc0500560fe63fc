"""Settings of BEGAN's game and its discriminator."""

from math import prod
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import LossTermConfig, MlpConfig, NetworkConfig, Sane, Shape


class AutoencoderConfig(NetworkConfig):
    """A discriminator that rebuilds what it sees through a short code; its score is minus what is left."""

    kind: Literal["baselines.autoencoder"] = "baselines.autoencoder"

    code: Annotated[int, Sane(100_000)] = Field(64, ge=1)
    """Size of the code."""
    encoder: NetworkConfig = MlpConfig()
    """From what it sees to the code."""
    decoder: NetworkConfig = MlpConfig()
    """From the code to each thing that it sees."""
    eta: Literal[1, 2] = 1
    """Power of the differences."""

    @override
    def misfit(self, sees: tuple[Shape, ...], gives: Shape) -> str | None:
        if gives != (1,):
            return f"baselines.autoencoder gives a score, not {gives}: take it as a discriminator"
        found = [self.encoder.misfit(sees, (self.code,))]
        found += [self.decoder.misfit(((self.code,),), shape) for shape in sees]
        return next((reason for reason in found if reason), None)

    @override
    def parameters(self, sees: tuple[Shape, ...], gives: Shape) -> int | None:
        sizes = [self.encoder.parameters(sees, (self.code,))]
        sizes += [self.decoder.parameters(((self.code,),), shape) for shape in sees]
        known = [size for size in sizes if size is not None]
        return sum(known) if len(known) == len(sizes) else None

    @override
    def build(self, sees: tuple[Shape, ...], gives: Shape) -> Any:
        from allmodes_baselines.began import Autoencoder

        encoder = self.encoder.build(sees, (self.code,))
        decoders = [self.decoder.build(((self.code,),), shape) for shape in sees]
        return Autoencoder(encoder, decoders, sum(map(prod, sees)), self.eta)


class BeganConfig(LossTermConfig):
    """Holds what is left of generated data at a share of what is left of data (Berthelot et al., 2017)."""

    kind: Literal["baselines.began"] = "baselines.began"
    is_game: ClassVar[bool] = True

    gamma: float = Field(0.5, ge=0, le=1)
    """The share: more is more diverse, less is nearer to data."""
    rate: float = Field(1e-3, gt=0)
    """The paper's lambda_k, how fast k moves."""

    @override
    def build(self) -> Any:
        from allmodes_baselines.began import Began

        return Began(self.gamma, self.rate)
