"""Settings of the pairing term."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes import AuxiliaryConfig, LossTermConfig, MlpConfig, Need, NetworkConfig, Shape

_MATCHER = "auxiliaries.matcher: {kind: modern.matcher}"


class MatcherConfig(AuxiliaryConfig):
    """The network that finds the code of an item; trained with the generator."""

    kind: Literal["modern.matcher"] = "modern.matcher"
    form: ClassVar[Literal["point"]] = "point"

    network: NetworkConfig = MlpConfig(hidden=(128, 128))
    """Its body."""

    @override
    def misfit(self, sees: Shape) -> str | None:
        return self.network.misfit((sees,), (1,))

    @override
    def build(self, sees: Shape, parts: Mapping[str, int]) -> Any:
        from allmodes_modern.pairing import Matcher

        return Matcher(self.network.build((sees,), (parts["code"],)))


class PairingConfig(LossTermConfig):
    """Small where each generated item shows which of the batch's codes it was made from, beside any game."""

    kind: Literal["modern.pairing"] = "modern.pairing"
    needs: ClassVar[tuple[Need, ...]] = (Need("auxiliary", "code", _MATCHER, "point"),)
    serves: ClassVar[tuple[str, ...]] = ("generator",)

    auxiliary: str = "matcher"
    """The auxiliary that maps items to code."""
    temperature: float = Field(1.0, gt=0)
    """The distance of two codes that counts as far."""

    @override
    def build(self) -> Any:
        from allmodes_modern.pairing import Pairing

        return Pairing(self.auxiliary, self.temperature)
