"""Settings of VEEGAN's reconstructor and losses."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import AuxiliaryConfig, Form, LossTermConfig, MlpConfig, Need, NetworkConfig, Shape

_RECONSTRUCTOR = "auxiliaries.reconstructor: {kind: veegan.reconstructor}"


class ReconstructorConfig(AuxiliaryConfig):
    """F, which maps data back to the code; its code is noisy for the discriminator only."""

    kind: Literal["veegan.reconstructor"] = "veegan.reconstructor"
    gives: ClassVar[str] = "code"
    trained_by: ClassVar[tuple[str, ...]] = ("generator",)

    network: NetworkConfig = MlpConfig(hidden=(128, 128))
    """The body of F."""
    code_noise: float = Field(1.0, ge=0)
    """Standard deviation of the noise on F(x) that the discriminator sees: p(z|x) = N(F(x), code_noise^2)."""

    @property
    @override
    def form(self) -> Form:
        return "gaussian" if self.code_noise else "point"

    @override
    def misfit(self, sees: Shape) -> str | None:
        return self.network.misfit((sees,), (1,))

    @override
    def build(self, sees: Shape, parts: Mapping[str, int]) -> Any:
        from allmodes_veegan.model import Reconstructor

        return Reconstructor(self.network.build((sees,), (parts["code"],)), self.code_noise)


class GameConfig(LossTermConfig):
    """The discriminator distinguishes (z, G(z)) from (F(x), x); the generator lowers its raw logit."""

    kind: Literal["veegan.game"] = "veegan.game"
    is_game: ClassVar[bool] = True
    needs: ClassVar[tuple[Need, ...]] = (
        Need("auxiliary", "code", _RECONSTRUCTOR),
        Need("joint", remedy="joint: reconstructor to discriminator"),
    )

    @override
    def build(self) -> Any:
        from allmodes_veegan.model import Game

        return Game()


class CodeReconstructionConfig(LossTermConfig):
    """Half the squared distance of z and F(G(z)), summed over the code, averaged over the batch."""

    kind: Literal["veegan.code_reconstruction"] = "veegan.code_reconstruction"
    needs: ClassVar[tuple[Need, ...]] = (Need("auxiliary", "code", _RECONSTRUCTOR, form="point"),)

    auxiliary: str = "reconstructor"
    """The auxiliary that maps data to code."""
    player: str = "generator"
    """The player that lowers it, which should train the generator and the auxiliary."""

    @override
    def build(self) -> Any:
        from allmodes_veegan.model import CodeReconstruction

        return CodeReconstruction(self.auxiliary, self.player)
