"""Configs of the core's priors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import override

from allmodes_schemas import PriorConfig, Sane

RESOLUTION = 1e-5
"""Smallest width beside a size of 1 at which 32-bit floats still hold about a hundred numbers."""


class _Independent(PriorConfig):
    dim: Annotated[int, Sane(100_000)] = Field(64, ge=1)
    """Size of the code."""
    nuisance_dim: Annotated[int, Sane(100_000)] = Field(0, ge=0)
    """Size of a further part that only the generator sees: neither reconstructed nor judged."""

    @override
    def parts(self) -> Mapping[str, int | None]:
        return {"code": self.dim} | ({"nuisance": self.nuisance_dim} if self.nuisance_dim else {})

    @override
    def size(self) -> int:
        return self.dim + self.nuisance_dim


class GaussianConfig(_Independent):
    """Independent normal entries."""

    kind: Literal["gaussian"] = "gaussian"
    std: float = Field(1.0, gt=0)
    """Standard deviation of the code and the nuisance."""

    @override
    def build(self) -> Any:
        from allmodes.builtin.priors import Gaussian

        return Gaussian(self.dim, self.nuisance_dim, self.std)


class UniformConfig(_Independent):
    """Independent entries, uniform between two bounds."""

    kind: Literal["uniform"] = "uniform"
    low: float = -1.0
    """Lower bound."""
    high: float = 1.0
    """Upper bound, above `low`."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        if self.high - self.low < RESOLUTION * max(abs(self.low), abs(self.high)):
            raise ValueError(
                f"low and high ({self.low:g}) are so near to each other that 32-bit floats hold nothing between"
            )
        return self

    @override
    def build(self) -> Any:
        from allmodes.builtin.priors import Uniform

        return Uniform(self.dim, self.nuisance_dim, self.low, self.high)


KINDS = (GaussianConfig, UniformConfig)
