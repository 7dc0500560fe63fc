"""Settings of LSGAN."""

from typing import Any, ClassVar, Literal

from typing_extensions import override

from allmodes import LossTermConfig


class LeastSquaresConfig(LossTermConfig):
    """The game that pulls scores to labels (Mao et al., 2017)."""

    kind: Literal["baselines.least_squares"] = "baselines.least_squares"
    is_game: ClassVar[bool] = True

    a: float = 0.0
    """Label of generated data."""
    b: float = 1.0
    """Label of data."""
    c: float = 1.0
    """What the generator wants its data to be scored."""

    @override
    def build(self) -> Any:
        from allmodes_baselines.lsgan import LeastSquares

        return LeastSquares(self.a, self.b, self.c)
