"""Base config of data whose modes are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field, model_validator
from typing_extensions import override

from allmodes_schemas import DatasetConfig


class KnownModesConfig(DatasetConfig):
    """Base config of data whose modes are known: a subclass gives `shape()`, `mode_weights()` and `truth()`."""

    items: int | None = Field(None, ge=1, le=10_000_000)
    """A fixed number of items to train on, shared among the modes by their weights (equally, where these are equal);
    by default fresh ones without end."""
    items_seed: int = Field(0, ge=0, lt=2**63)
    """Which of the possible sets of `items` it is: the same for all seeds of a run."""

    @model_validator(mode="after")
    def _refuse_empty_modes(self) -> Self:
        weights = self.mode_weights()
        if self.items is not None and len(weights) == self.classes() and 0 < sum(weights) < math.inf:
            empty = [k for k, n in enumerate(apportion(weights, self.items)) if n == 0 < weights[k]]
            if empty:
                rarest = min(weights[k] for k in empty)
                enough = f"items to {math.ceil(sum(weights) / rarest)} or more"
                raise ValueError(f"items is {self.items}, which leaves mode {empty[0]} without a point: set {enough}")
        return self

    def mode_weights(self) -> Sequence[float]:
        """The modes' weights, up to a common factor."""
        raise NotImplementedError(f"{type(self).__name__} does not define mode_weights()")

    def truth(self) -> Any:
        """Build the distribution, an `allmodes.Truth`."""
        raise NotImplementedError(f"{type(self).__name__} does not define truth()")

    @override
    def classes(self) -> int:
        return len(self.mode_weights())

    @override
    def known_modes(self) -> bool:
        return True

    @override
    def build(self) -> Any:
        from allmodes.data import FixedData, FreshData

        if self.items is None:
            return FreshData(self.truth())
        return FixedData(self.truth(), apportion(self.mode_weights(), self.items), self.items_seed)


def apportion(weights: Sequence[float], items: int) -> tuple[int, ...]:
    """Whole numbers in proportion to the weights that add up to `items`, by largest remainders (Hamilton's method)."""
    total = sum(weights)
    quotas = [items * (weight / total) for weight in weights]
    counts = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda k: counts[k] - quotas[k])  # stable: the first of equal ones
    for k in by_remainder[: items - sum(counts)]:
        counts[k] += 1
    return tuple(counts)
