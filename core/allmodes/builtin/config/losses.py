"""Configs of the core's games and penalties."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes_schemas import LossTermConfig, Problem

if TYPE_CHECKING:
    from allmodes_schemas import Spec


class NonSaturatingConfig(LossTermConfig):
    """The non-saturating game of Goodfellow et al. (2014)."""

    kind: Literal["non_saturating"] = "non_saturating"
    is_game: ClassVar[bool] = True

    @override
    def build(self) -> Any:
        from allmodes.builtin.losses import NonSaturating

        return NonSaturating()


class WassersteinConfig(LossTermConfig):
    """The Wasserstein game of Arjovsky et al. (2017)."""

    kind: Literal["wasserstein"] = "wasserstein"
    is_game: ClassVar[bool] = True

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        # Without a bound on the discriminator's slope the game has no solution.
        bounded = spec.discriminator is not None and spec.discriminator.bounds_slope()
        if not bounded and not any(t.penalises_gradients or t.bounds_slope for t in spec.each(LossTermConfig)):
            yield Problem(
                ("losses",),
                "the wasserstein game needs a bound on the discriminator's slope: add {kind: gradient_penalty}",
                "warning",
            )

    @override
    def build(self) -> Any:
        from allmodes.builtin.losses import WassersteinGame

        return WassersteinGame()


class RelativisticConfig(LossTermConfig):
    """The relativistic pairing game (RpGAN) of Jolicoeur-Martineau (2019)."""

    kind: Literal["relativistic"] = "relativistic"
    is_game: ClassVar[bool] = True

    @override
    def build(self) -> Any:
        from allmodes.builtin.losses import Relativistic

        return Relativistic()


class _Penalty(LossTermConfig):
    serves: ClassVar[tuple[str, ...]] = ("discriminator",)
    penalises_gradients: ClassVar[bool] = True


class GradientPenaltyConfig(_Penalty):
    """Pulls the discriminator's slope between data and generated data to 1 (Gulrajani et al., 2017)."""

    kind: Literal["gradient_penalty"] = "gradient_penalty"
    strength: float = Field(10.0, ge=0)
    """The paper's lambda."""

    @override
    def build(self) -> Any:
        from allmodes.builtin.losses import GradientPenalty

        return GradientPenalty(self.strength)


class R1Config(_Penalty):
    """Pulls the discriminator's slope at data to 0 (Mescheder et al., 2018)."""

    kind: Literal["r1"] = "r1"
    gamma: float = Field(1.0, ge=0)
    """The penalty is gamma/2 times the mean squared slope."""

    @override
    def build(self) -> Any:
        from allmodes.builtin.losses import ZeroCentredPenalty

        return ZeroCentredPenalty(self.gamma, "real")


class R2Config(_Penalty):
    """Pulls the discriminator's slope at generated data to 0 (Mescheder et al., 2018)."""

    kind: Literal["r2"] = "r2"
    gamma: float = Field(1.0, ge=0)
    """The penalty is gamma/2 times the mean squared slope."""

    @override
    def build(self) -> Any:
        from allmodes.builtin.losses import ZeroCentredPenalty

        return ZeroCentredPenalty(self.gamma, "fake")


KINDS = (NonSaturatingConfig, WassersteinConfig, RelativisticConfig, GradientPenaltyConfig, R1Config, R2Config)
